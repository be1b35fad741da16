// Why a change of one's account was refused, in the page's language.
import { ApiError } from '../client'
import { refusal } from '../shared/refusal'

/** Words for a refusal: by the field that is at fault where we have words for it, as the site says it otherwise. */
export function fault(e: unknown, t: (key: string) => string, fields: Record<string, string>): string {
  if (!(e instanceof ApiError)) return String(e)
  if (e.status === 429) return t('login.locked')
  if (e.problem.code === 'stale') return t('signin.stale')
  const key = e.problem.errors?.map((x) => fields[x.location ?? '']).find(Boolean)
  return key ? t(key) : refusal(e, t)
}
