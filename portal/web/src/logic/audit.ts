// A search of the audit, as the site takes it.
import type { Tone } from '../shared/Tag.vue'

export interface AuditFilter {
  actor: string
  action: string
  subject: string
  /** beginning of the result */
  result: string
  /** local times of a form field, such as 2026-11-25T22:00 */
  from: string
  to: string
}

const ms = (local: string): number | undefined => {
  const at = local ? new Date(local).getTime() : NaN
  return Number.isFinite(at) ? at : undefined
}

const word = (text: string): string | undefined => text.trim() || undefined

/** Parameters of the search: nothing for what is not asked. */
export const auditQuery = (f: AuditFilter): Record<string, string | number | undefined> => ({
  actor: word(f.actor),
  action: word(f.action),
  subject: word(f.subject),
  result: word(f.result),
  from: ms(f.from),
  to: ms(f.to),
})

/** What was refused or failed stands out. */
export function toneOf(result: string | undefined): Tone {
  if (result?.startsWith('failed')) return 'bad'
  if (result?.startsWith('refused') || result === 'wrong portal') return 'warn'
  return result === 'ok' ? 'ok' : 'plain'
}
