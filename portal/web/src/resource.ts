// Data of a page: read at once, read anew when the live stream says that it changed, kept for the next page that asks the same.
import { QueryClient, useQuery } from '@tanstack/vue-query'
import { computed, getCurrentInstance, onBeforeMount, onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { Ref, ShallowRef } from 'vue'
import type { Change } from './api'
import { asError, serverNow, type ApiError } from './client'
import { ANYTHING, onChange } from './live'
import { showOld } from './old'
import { Reading } from './reading'

const SETTLE_MS = 250 // changes come in bursts; one reading answers them all
const LONGEST_MS = 1500
const KEPT_MS = 5 * 60_000
const RETRIES = 2
const PASSING = [0, 502, 503, 504] // no network, no leader: asking again may help

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
  /** Show at once what an earlier page read, with its time, until it is read anew. Not for what a person edits. */
  keep?: boolean
}

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 0,
      structuralSharing: false,
      networkMode: 'always', // a browser that thinks itself offline says so by an error, not by waiting
      refetchOnReconnect: true,
      refetchOnWindowFocus: false,
    },
  },
})
queries.mount()

/** Forgets all that was read: somebody else may sit there now. */
export const forget = (): void => queries.clear()

let made = 0

const isReading = <T>(asked: Promise<T>): asked is Reading<T> => asked instanceof Reading

/**
 * Reads data and keeps it true while the calling component lives. What was read before stays while it is read anew. A reading that
 * nobody waits for any more is broken off; one that failed for a passing reason is tried again.
 */
export function useResource<T>(read: () => Promise<T>, options: ResourceOptions = {}): Resource<T> {
  const own = ++made
  const data = shallowRef<T>()
  const since = ref(0)
  const name = shallowRef<string | number>(0)
  let turn = 0
  let running: Promise<T> | undefined // a reading that is more than one call of the API, begun already

  /** Asks, and says whether it is something else than before. */
  function ask(): boolean {
    const asked = read()
    const before = name.value
    running = isReading(asked) ? undefined : asked
    name.value = isReading(asked) ? asked.path : ++turn
    since.value = Date.now()
    return name.value !== before
  }
  ask()
  const queryKey = computed(() => (options.keep ? [name.value] : [name.value, own]))
  const query = useQuery<{ value: T; at: number }, ApiError>(
    {
      queryKey,
      queryFn: async ({ signal }) => {
        const asked = running ?? read()
        running = undefined
        const value = await (isReading(asked) ? asked.begin(signal) : asked)
        return { value, at: serverNow() }
      },
      retry: (failed, e) => typeof name.value === 'string' && failed < RETRIES && PASSING.includes(asError(e).status),
      gcTime: options.keep ? KEPT_MS : 0,
      shallow: true,
      ...(options.every ? { refetchInterval: options.every, refetchOnWindowFocus: true } : {}),
    },
    queries,
  )

  function take(): void {
    data.value = query.data.value?.value
  }
  watch(query.data, take, { flush: 'sync' })
  // What is kept comes after the setup of the page, so that the page's own watchers see it come.
  if (getCurrentInstance()) onBeforeMount(take)
  else take()

  showOld(() => {
    const kept = query.data.value
    if (!kept || (query.dataUpdatedAt.value >= since.value && !query.isError.value)) return undefined
    return { at: kept.at, failed: query.isError.value }
  })

  async function reload(): Promise<void> {
    // What is on its way for the first time may be older than the change that asks for more.
    if (!query.data.value) void queries.cancelQueries({ queryKey: queryKey.value, exact: true }, { silent: true })
    await query.refetch()
  }
  follow(options, reload, () => {
    if (ask()) data.value = undefined
    else void reload()
  })
  const error = computed(() => (query.error.value ? asError(query.error.value) : undefined))
  return { data, error, loading: query.isFetching, reload }
}

/** Reads anew at changes that the stream announces, a burst at a time, and begins anew when what is watched changes. */
function follow({ on, watch: watched }: ResourceOptions, reload: () => Promise<void>, begin: () => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let first = 0
  if (watched) watch(watched, begin)
  if (!on) return
  onScopeDispose(() => clearTimeout(timer))
  onChange((change) => {
    if (change.type !== ANYTHING && !on(change)) return
    const now = Date.now()
    if (!timer) first = now
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        timer = undefined
        void reload()
      },
      Math.min(SETTLE_MS, Math.max(0, first + LONGEST_MS - now)),
    )
  })
}

/** The usual filter: changes of these record types, of one enterprise if given. */
export function changesOf(types: readonly string[], enterprise?: string): (change: Change) => boolean {
  return (change) =>
    types.includes(change.type) && (!enterprise || !change.enterprise || change.enterprise === enterprise)
}

/** The same for one record: its changes, and those that do not say of which record they are. */
export const changesOfOne =
  (type: string, key: string) =>
  (change: Change): boolean =>
    change.type === type && (!change.key || change.key === key)
