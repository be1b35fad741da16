// Lists, one page after another, kept up by the stream.
import { ref, shallowRef, watch, type Ref } from 'vue'
import type { Page } from '../api'
import type { ApiError } from '../client'
import { get } from '../client'
import { changesOf, useResource } from '../resource'

type Query = Record<string, string | number | undefined>

export interface Paged<T> {
  items: Readonly<Ref<readonly T[]>>
  error: Ref<ApiError | undefined>
  loading: Ref<boolean>
  more: Ref<boolean>
  next: () => Promise<void>
  reload: () => Promise<void>
}

/** Pages of a list. What changes reads the part that is shown anew, so that rows appear and move by themselves. */
export function usePaged<T>(path: string, query: () => Query, types: readonly string[], size = 50): Paged<T> {
  const items = shallowRef<T[]>([])
  const more = ref(false)
  const wanted = ref(size)
  const after = ref<string>()

  const { data, error, loading, reload } = useResource<Page<T>>(
    () => get<Page<T>>(path, { ...query(), limit: wanted.value }),
    { on: changesOf(types), watch: () => JSON.stringify(query()), keep: true },
  )
  watch(data, (page) => {
    if (!page) return // rows stay until there are others
    items.value = page.items ?? []
    after.value = page.next
    more.value = Boolean(page.next)
  })

  async function next(): Promise<void> {
    if (!after.value) return
    const page = await get<Page<T>>(path, { ...query(), after: after.value, limit: size })
    items.value = [...items.value, ...(page.items ?? [])]
    wanted.value += size
    after.value = page.next
    more.value = Boolean(page.next)
  }

  return { items, error, loading, more, next, reload }
}
