// What cannot be taken back is asked twice: the first touch of its button asks, the second does.
import { ref, type Ref } from 'vue'

export interface Twice {
  /** what was touched once; empty: nothing */
  asked: Ref<string>
  /** Whether this is the second touch of what the key names. A touch of something else begins anew. */
  sure: (key: string) => boolean
}

export function useTwice(): Twice {
  const asked = ref('')

  function sure(key: string): boolean {
    const second = asked.value === key
    asked.value = second ? '' : key
    return second
  }

  return { asked, sure }
}
