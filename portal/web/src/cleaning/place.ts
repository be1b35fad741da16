// Where the device is, if the person lets the page know.
import { ref } from 'vue'

const LOCATE_MS = 10_000
const FRESH_MS = 60_000

export interface Place {
  lng: number
  lat: number
  /** m */
  accuracy: number
}

export function usePlace() {
  const place = ref<Place>()
  const locating = ref(false)
  const failed = ref(false)
  const canLocate = window.isSecureContext && 'geolocation' in navigator

  function locate(): void {
    locating.value = true
    failed.value = false
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        place.value = { lng: coords.longitude, lat: coords.latitude, accuracy: coords.accuracy }
        locating.value = false
      },
      () => {
        failed.value = true
        locating.value = false
      },
      { timeout: LOCATE_MS, enableHighAccuracy: true, maximumAge: FRESH_MS },
    )
  }

  /** Locates where the person allowed it before; asks for nothing. */
  async function locateIfAllowed(): Promise<void> {
    if (!canLocate) return
    const permission = await navigator.permissions.query({ name: 'geolocation' }).catch(() => undefined)
    if (permission?.state === 'granted') locate()
  }

  return { place, locating, failed, canLocate, locate, locateIfAllowed }
}
