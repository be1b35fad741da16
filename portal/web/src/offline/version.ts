// Registers the service worker, and says when a new version of the portal waits.
import { ref } from 'vue'
import { RENEW } from './words'

const LOOK_MS = 3_600_000
let next: ServiceWorker | null = null

/** Whether a new version waits to be taken. */
export const newVersion = ref(false)

/** Takes the new version: the page is loaded anew when it is in charge. */
export function renew(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
  next?.postMessage(RENEW)
}

function offer(worker: ServiceWorker | null): void {
  if (!worker || !navigator.serviceWorker.controller) return // the first one needs nobody's leave
  next = worker
  newVersion.value = true
}

/** Where there can be one; a page that is not served over TLS goes without, and works as before. */
export async function registerWorker(): Promise<ServiceWorkerRegistration | undefined> {
  if (!import.meta.env.PROD || !window.isSecureContext || !('serviceWorker' in navigator)) return undefined
  try {
    const registration = await navigator.serviceWorker.register('/worker.js', { updateViaCache: 'none' })
    offer(registration.waiting)
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing
      worker?.addEventListener('statechange', () => worker.state === 'installed' && offer(worker))
    })
    const look = (): void => void registration.update().catch(() => undefined) // without a network: next time
    setInterval(look, LOOK_MS)
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && look())
    return registration
  } catch {
    return undefined // a certificate that the browser does not trust
  }
}
