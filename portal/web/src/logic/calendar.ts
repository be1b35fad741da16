// The calendar of cleaning: what was done and what was missed on each day of a month.
import type { CleaningPlan, CleaningRecord } from '../api'

export type DayState = 'done' | 'part' | 'missed' | 'open' | 'none' | 'future'

export interface Day {
  /** midnight of the day here, ms */
  at: number
  day: number
  state: DayState
  /** items that ought to have been done by the end of this day */
  due: number
  done: number
  missed: string[]
  records: CleaningRecord[]
}

const midnight = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0)
const plus = (day: number, n: number): number => {
  const d = new Date(day)
  return new Date(d.getFullYear(), d.getMonth(), d.getDate() + n).getTime()
}

/** The days of a cycle that ends with a day, first and last; nothing where none ends there. Weeks end on Sunday. */
function cycleEnding(cycle: string, day: number): [number, number] | undefined {
  const d = new Date(day)
  if (cycle === 'week') return d.getDay() === 0 ? [plus(day, -6), day] : undefined
  if (cycle === 'month')
    return plus(day, 1) === new Date(d.getFullYear(), d.getMonth() + 1, 1).getTime()
      ? [new Date(d.getFullYear(), d.getMonth(), 1).getTime(), day]
      : undefined
  return [day, day] // a day, and a shift, of which a day has at least one
}

/**
 * The days of the month of a time. A plan counts from the day of its first known check-in: when it was made is not known here, and
 * nobody missed what was not planned yet.
 */
export function monthOf(
  time: number,
  plans: readonly CleaningPlan[],
  records: readonly CleaningRecord[],
  now: number,
): Day[] {
  const first = new Date(new Date(time).getFullYear(), new Date(time).getMonth(), 1)
  const days: Day[] = []
  const today = midnight(now)
  const since = new Map<string, number>()
  for (const r of records) since.set(r.plan, Math.min(since.get(r.plan) ?? Infinity, midnight(r.time)))
  for (let at = first.getTime(); new Date(at).getMonth() === first.getMonth(); at = plus(at, 1)) {
    const mine = records.filter((r) => midnight(r.time) === at)
    const ending = plans.flatMap((plan) => {
      const span = cycleEnding(plan.cycle, at)
      if (!span || plan.disabled || span[1] < (since.get(plan.id) ?? today)) return []
      const done = records.some((r) => r.plan === plan.id && midnight(r.time) >= span[0] && midnight(r.time) <= span[1])
      return [{ item: plan.item, done }]
    })
    const missed = ending.filter((e) => !e.done).map((e) => e.item)
    days.push({
      at,
      day: new Date(at).getDate(),
      state: stateOf(at, today, ending.length, missed.length, mine.length),
      due: ending.length,
      done: ending.length - missed.length,
      missed: at < today ? missed : [],
      records: mine,
    })
  }
  return days
}

function stateOf(at: number, today: number, due: number, missed: number, records: number): DayState {
  if (at > today) return 'future'
  if (!due) return records ? 'done' : 'none'
  if (!missed) return 'done'
  if (at === today) return 'open'
  return missed < due ? 'part' : 'missed'
}

/** How many places stand before the first of a month in weeks that begin on Monday. */
export const leading = (days: readonly Day[]): number => (new Date(days[0]?.at ?? 0).getDay() + 6) % 7
