// A row that is pushed sideways on a phone shows what is chosen in it.
import { nextTick, watch, type Ref } from 'vue'

/** Pushes a row so that its chosen part is in the middle, at first and when another one is chosen. The page stays where it is. */
export function useInSight(row: Ref<HTMLElement | undefined>, chosen: () => unknown): void {
  watch(
    [row, chosen],
    async () => {
      await nextTick()
      const on = row.value?.querySelector('[aria-pressed="true"], [aria-current]')
      if (!row.value || !on || row.value.scrollWidth <= row.value.clientWidth) return
      const [outer, inner] = [row.value.getBoundingClientRect(), on.getBoundingClientRect()]
      row.value.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2
    },
    { flush: 'post', immediate: true },
  )
}
