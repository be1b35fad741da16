// What a change would lead to, asked for while it is being made; an answer that was overtaken is not shown.
import { onScopeDispose, ref, shallowRef } from 'vue'
import { asError, post, type ApiError } from '../client'
import type { PreviewView, RecordChange } from './types'

const SETTLE_MS = 500

export function usePreview() {
  const view = shallowRef<PreviewView>()
  const error = shallowRef<ApiError>()
  const asking = ref(false)
  let turn = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  async function ask(changes: readonly RecordChange[], reason = ''): Promise<void> {
    clearTimeout(timer)
    const mine = ++turn
    asking.value = true
    try {
      const answer = await post<PreviewView>('/records/preview', { changes, ...(reason ? { reason } : {}) })
      if (mine !== turn) return
      view.value = answer
      error.value = undefined
    } catch (e) {
      if (mine !== turn) return
      view.value = undefined
      error.value = asError(e)
    } finally {
      if (mine === turn) asking.value = false
    }
  }

  /** Asks when nothing was changed for a moment. */
  function soon(changes: () => readonly RecordChange[]): void {
    clearTimeout(timer)
    turn++
    view.value = undefined
    asking.value = true
    timer = setTimeout(() => void ask(changes()), SETTLE_MS)
  }

  function forget(): void {
    clearTimeout(timer)
    turn++
    view.value = error.value = undefined
    asking.value = false
  }
  onScopeDispose(forget)
  return { view, error, asking, ask, soon, forget }
}
