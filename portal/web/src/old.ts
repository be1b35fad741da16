// What is shown now but was read for an earlier page, or could not be read anew: nobody may take it for live.
import { computed, onScopeDispose, shallowReactive, type ComputedRef } from 'vue'

export interface Old {
  /** when it was read, ms by the server's clock */
  at: number
  /** it could not be read anew */
  failed: boolean
}

const sources = shallowReactive(new Set<() => Old | undefined>())

/** Tells of data as long as the calling component lives. */
export function showOld(source: () => Old | undefined): void {
  sources.add(source)
  onScopeDispose(() => sources.delete(source))
}

/** The oldest of the data that is shown and not known to be true now. */
export const oldest: ComputedRef<Old | undefined> = computed(() => {
  const all = [...sources].map((source) => source()).filter((o) => o !== undefined)
  if (!all.length) return undefined
  return { at: Math.min(...all.map((o) => o.at)), failed: all.some((o) => o.failed) }
})
