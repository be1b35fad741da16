// What a form or a dialog does when it sends: busy until there is an answer, and the refusal in words.
import { ref, type Ref } from 'vue'
import { useText } from '../i18n'
import { refusal } from './refusal'

export interface Sending {
  busy: Ref<boolean>
  /** why it was not done; empty when it was */
  problem: Ref<string>
  /** Does the work, unless something is missing yet, and says whether it was done. While one is under way another is not begun. */
  attempt: (work: () => Promise<unknown>, missing?: string) => Promise<boolean>
}

/** The state of a form that is sent; words say a refusal where the usual ones do not. */
export function useSending(words?: (e: unknown) => string): Sending {
  const { t } = useText()
  const busy = ref(false)
  const problem = ref('')

  async function attempt(work: () => Promise<unknown>, missing = ''): Promise<boolean> {
    if (busy.value) return false
    problem.value = missing
    if (missing) return false
    busy.value = true
    try {
      await work()
      return true
    } catch (e) {
      problem.value = words ? words(e) : refusal(e, t)
      return false
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, attempt }
}
