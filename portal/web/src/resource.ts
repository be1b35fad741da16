// Data of a page: read at once, read anew when the live stream says that it changed.
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { ApiError } from './client'
import { ANYTHING, onChange } from './live'
import type { Change } from './api'

const SETTLE_MS = 250 // changes come in bursts; one reading answers them all
const LONGEST_MS = 1500

export interface Resource<T> {
  data: ShallowRef<T | undefined>
  error: Ref<ApiError | undefined>
  loading: Ref<boolean>
  reload: () => Promise<void>
}

export interface ResourceOptions {
  /** Which changes make a new reading necessary. */
  on?: (change: Change) => boolean
  /** Read again when this changes. */
  watch?: () => unknown
  /** Read again every so many ms: for what no change announces. */
  every?: number
}

const asError = (e: unknown): ApiError => (e instanceof ApiError ? e : new ApiError(0, { title: String(e) }))

/** Reads data and keeps it true while the calling component lives. What was read before stays while it is read anew. */
export function useResource<T>(read: () => Promise<T>, options: ResourceOptions = {}): Resource<T> {
  const data = shallowRef<T>()
  const error = ref<ApiError>()
  const loading = ref(true)
  let turn = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let first = 0

  async function reload(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const mine = ++turn
    loading.value = true
    try {
      const value = await read()
      if (mine !== turn) return
      data.value = value
      error.value = undefined
    } catch (e) {
      if (mine === turn) error.value = asError(e)
    } finally {
      if (mine === turn) loading.value = false
    }
  }

  function soon(): void {
    const now = Date.now()
    if (!timer) first = now
    clearTimeout(timer)
    timer = setTimeout(() => void reload(), Math.min(SETTLE_MS, Math.max(0, first + LONGEST_MS - now)))
  }

  const { on, every } = options
  if (on) onChange((change) => (change.type === ANYTHING || on(change)) && soon())
  if (options.watch)
    watch(options.watch, () => {
      data.value = undefined
      void reload()
    })
  if (every) {
    const interval = setInterval(() => void reload(), every)
    onScopeDispose(() => clearInterval(interval))
  }
  onScopeDispose(() => {
    clearTimeout(timer)
    turn++
  })
  void reload()
  return { data, error, loading, reload }
}

/** The usual filter: changes of these record types, of one enterprise if given. */
export function changesOf(types: readonly string[], enterprise?: string): (change: Change) => boolean {
  return (change) =>
    types.includes(change.type) && (!enterprise || !change.enterprise || change.enterprise === enterprise)
}
