// What a page is narrowed to stands in its address, so that it can be linked to, and found again by going back.
import { customRef, type Ref } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** A part of the address's query; where there is none it has its usual value, which is not written. */
export function useAddress(name: string, usual = ''): Ref<string> {
  const route = useRoute()
  const router = useRouter()
  const page = route.path
  let last = usual
  return customRef(() => ({
    get() {
      // While one leaves the page the address is already another's.
      const value = route.path === page ? route.query[name] : last
      return (last = typeof value === 'string' ? value : usual)
    },
    set(value) {
      void router.replace({ query: { ...route.query, [name]: value === usual ? undefined : value } })
    },
  }))
}
