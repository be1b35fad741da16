// Which region is looked at: it stands in the address, so that a view can be linked to and the browser's way back leads up.
import { computed, type ComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { holds, parentOf } from '../logic/regions'
import { useSession } from '../session'

export interface Drill {
  /** all that the person may see; empty: the country */
  home: string
  /** looked at now */
  region: ComputedRef<string>
  /** for the API: nothing where all is looked at */
  asked: ComputedRef<string>
  into: (region: string) => void
  up: () => void
}

export function useDrill(): Drill {
  const route = useRoute()
  const router = useRouter()
  const session = useSession()
  const home = session.value?.user.region ?? session.value?.site.region ?? ''
  const region = computed(() => {
    const wanted = route.query.region
    return typeof wanted === 'string' && /^\d{6}$/.test(wanted) && holds(home, wanted) ? wanted : home
  })
  const asked = computed(() => (region.value === home ? '' : region.value))

  function into(to: string): void {
    if (to === region.value) return
    void router.push({ query: { ...route.query, region: to === home ? undefined : to } })
  }

  return { home, region, asked, into, up: () => into(parentOf(region.value, home)) }
}
