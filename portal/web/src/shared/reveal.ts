// Who may ask for personal data in full: regulators, with a reason that the audit keeps.
import { computed, type ComputedRef } from 'vue'
import { useSession } from '../session'

export function useMayReveal(): ComputedRef<boolean> {
  const session = useSession()
  return computed(() => session.value?.user.role.endsWith('_regulator') ?? false)
}
