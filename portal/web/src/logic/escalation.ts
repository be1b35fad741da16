// The ladder an alarm climbs when nobody works it: who has been called, and who is called next.
import { PRIORITIES, type Alarm, type Priority } from '../api'

export const RUNGS = ['worker', 'manager', 'county', 'city', 'province'] as const

export type RungState = 'past' | 'now' | 'next' | 'later'

export interface Rung {
  key: (typeof RUNGS)[number]
  state: RungState
  /** when it was reached; of the next one when it will be */
  time?: number
}

/** The rungs from the handler upwards. A closed alarm has none that comes next. */
export function ladder(
  alarm: Pick<Alarm, 'escalation' | 'escalate_due' | 'raised' | 'onset' | 'stage' | 'steps'>,
): Rung[] {
  const at = Math.min(Math.max(alarm.escalation ?? 0, 0), RUNGS.length - 1)
  const climbs = (alarm.steps ?? []).filter((s) => s.action === 'escalate').map((s) => s.time)
  const open = alarm.stage !== 'closed' && alarm.stage !== 'false_alarm'
  return RUNGS.map((key, i) => {
    const next = open && Boolean(alarm.escalate_due) && i === at + 1
    const state: RungState = i < at ? 'past' : i === at ? 'now' : next ? 'next' : 'later'
    const time =
      i === 0 ? (alarm.raised ?? alarm.onset) : i <= at ? climbs[i - 1] : next ? alarm.escalate_due : undefined
    return { key, state, ...(time ? { time } : {}) }
  })
}

/** How time moved a priority away from what its rule alone gives it: up while it lasts, down once it has returned. */
export function priorityMove(is: Priority | undefined, base: Priority | undefined): 'rose' | 'fell' | undefined {
  if (!is || !base || is === base) return undefined
  return PRIORITIES.indexOf(is) < PRIORITIES.indexOf(base) ? 'rose' : 'fell'
}
