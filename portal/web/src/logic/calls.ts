// How an alarm calls people: the rung it stands on, the one that comes next and when, how its urgency moved.
import type { Alarm, Priority } from '../api'

export const PRIORITIES: readonly Priority[] = ['low', 'medium', 'high', 'critical']
const TOP_RUNG = 4

export interface NextCall {
  kind: 'remind' | 'escalate'
  /** who is called: the rung as in the table escalation */
  rung: number
  at: number
  /** ms until then; 0 when it is due now */
  ms: number
}

const ended = (a: Alarm): boolean => a.stage === 'closed' || a.stage === 'false_alarm'

/** What happens next if nobody does anything, the nearest first. A suppressed or closed alarm calls nobody. */
export function nextCalls(a: Alarm, now: number): NextCall[] {
  if (a.suppressed || ended(a)) return []
  const rung = Math.min(TOP_RUNG, a.escalation ?? 0)
  const out: NextCall[] = []
  if (a.remind_due && a.remind_due > now) out.push({ kind: 'remind', rung, at: a.remind_due, ms: a.remind_due - now })
  if (a.escalate_due && rung < TOP_RUNG)
    out.push({ kind: 'escalate', rung: rung + 1, at: a.escalate_due, ms: Math.max(0, a.escalate_due - now) })
  return out.sort((x, y) => x.at - y.at)
}

/** Spans after which a condition that lasts is one priority graver, as in schema/tables/alarm.yaml. */
const RISES_MS = [300_000, 3_600_000]

/** How long the condition has held, and how often it could rise meanwhile; a priority at the bottom has not risen. */
export function lasting(a: Alarm, now: number): { ms: number; rises: number } {
  if (a.condition !== 'active') return { ms: 0, rises: 0 }
  const ms = Math.max(0, now - (a.since ?? a.onset))
  const passed = RISES_MS.filter((r) => ms >= r).length
  return { ms, rises: Math.min(passed, a.priority ? PRIORITIES.indexOf(a.priority) : 0) }
}
