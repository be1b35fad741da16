// The periods of reports, by the Beijing calendar (node/report): a day, a week from Monday on, a month.
export type Kind = 'daily' | 'weekly' | 'monthly'
export const KINDS: readonly Kind[] = ['daily', 'weekly', 'monthly']

const DAY = 86_400_000
const BEIJING = 8 * 3_600_000

/** The Beijing calendar day of a moment, as midnight of that day in UTC: what the functions below reckon with. */
const dayOf = (ms: number): Date => new Date(Math.floor((ms + BEIJING) / DAY) * DAY)

/** A day as an input of type date has it. */
export const isoDay = (ms: number): string => dayOf(ms).toISOString().slice(0, 10)

/** The beginning of a day that an input of type date has, ms; NaN when it is none. */
export const startOf = (iso: string): number => Date.parse(`${iso}T00:00:00+08:00`)

/** The period of a kind that a moment lies in: [from, until), ms. */
export function periodOf(kind: Kind, ms: number): { from: number; until: number } {
  const d = dayOf(ms)
  let until: Date
  if (kind === 'monthly') {
    d.setUTCDate(1)
    until = new Date(d)
    until.setUTCMonth(until.getUTCMonth() + 1)
  } else {
    if (kind === 'weekly') d.setUTCDate(d.getUTCDate() - ((d.getUTCDay() + 6) % 7))
    until = new Date(d.getTime() + (kind === 'weekly' ? 7 : 1) * DAY)
  }
  return { from: d.getTime() - BEIJING, until: until.getTime() - BEIJING }
}

/** A period in figures: 2026-11-25, 2026-11-16 – 2026-11-22, 2026-11. */
export function periodText(kind: string, from: number, until: number): string {
  if (kind === 'monthly') return isoDay(from).slice(0, 7)
  return kind === 'weekly' ? `${isoDay(from)} – ${isoDay(until - 1)}` : isoDay(from)
}
