// What is typed into a search box counts once the typing rests.
import { onScopeDispose, ref, watch, type Ref } from 'vue'

const RESTS_MS = 300

/** The text of a search box; then is told it, trimmed, when it has rested. */
export function useTyped(first: string, then: (text: string) => void): Ref<string> {
  const typed = ref(first)
  let timer: ReturnType<typeof setTimeout> | undefined
  watch(typed, (text) => {
    clearTimeout(timer)
    timer = setTimeout(() => then(text.trim()), RESTS_MS)
  })
  onScopeDispose(() => clearTimeout(timer))
  return typed
}
