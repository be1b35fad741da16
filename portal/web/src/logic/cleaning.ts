// Whether a plan was cleaned in its cycle.
import type { CleaningPlan, CleaningRecord } from '../api'

const HOUR = 3_600_000
const CYCLE_MS: Record<string, number> = { shift: 8 * HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR, month: 30 * 24 * HOUR }

/** The newest check-in of a plan. */
export function lastOf(plan: CleaningPlan, records: readonly CleaningRecord[] | undefined): CleaningRecord | undefined {
  return (records ?? [])
    .filter((r) => r.plan === plan.id)
    .reduce<CleaningRecord | undefined>((a, b) => (!a || b.time > a.time ? b : a), undefined)
}

/** A plan is due when its last check-in is older than its cycle (a shift counts as eight hours), or there is none. */
export function isDue(plan: CleaningPlan, last: CleaningRecord | undefined, now: number): boolean {
  if (plan.disabled) return false
  return !last || now - last.time > (CYCLE_MS[plan.cycle] ?? CYCLE_MS.day ?? 0)
}
