// What a form or a dialog does when it sends: busy until there is an answer, and the refusal in words.
import { ref, type Ref } from 'vue'
import { useText } from '../i18n'
import { refusal } from './refusal'

export interface Sending {
  busy: Ref<boolean>
  /** why it was refused; empty when it was not */
  problem: Ref<string>
  /** Does the work and says whether it was done. While one is under way another is not begun. */
  attempt: (work: () => Promise<unknown>) => Promise<boolean>
}

export function useSending(): Sending {
  const { t } = useText()
  const busy = ref(false)
  const problem = ref('')

  async function attempt(work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    problem.value = ''
    try {
      await work()
      return true
    } catch (e) {
      problem.value = refusal(e, t)
      return false
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, attempt }
}
