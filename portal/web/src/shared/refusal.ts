import { ApiError } from '../client'

/** Why an action was refused, in words; several reasons stand on lines of their own. */
export function refusal(e: unknown, t: (key: string) => string): string {
  if (!(e instanceof ApiError)) return String(e)
  if (e.status === 0) return t('state.network')
  if (e.status === 403) return t('state.denied')
  if (e.status === 429) return t('state.busy')
  if (e.problem.violations?.some((v) => v.rule === 'life_cycle')) return t('state.stage')
  return [e.problem.detail ?? e.problem.title ?? t('state.server'), ...e.reasons].join('\n')
}
