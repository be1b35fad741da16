// What was so at one moment of a replayed interval, and its story in order of time.
import type { Alarm, Level, Replayed, RiskResult } from '../api'

export interface Band {
  from: number
  to: number
  level: Level | undefined
}

/** Stretches of one level each, from the interval's beginning to its end. */
export function bandsOf(r: Replayed): Band[] {
  const out: Band[] = [{ from: r.from, to: r.to, level: r.level || undefined }]
  for (const v of r.risk ?? []) {
    const last = out[out.length - 1] as Band
    if (v.record.level === last.level) continue
    const at = Math.min(r.to, Math.max(r.from, v.time))
    last.to = at
    out.push({ from: at, to: r.to, level: v.record.level })
  }
  return out.filter((b) => b.to > b.from)
}

/** The newest version at a moment of each record, the records of the beginning included. */
function latest<T extends { id: string }>(
  begin: readonly T[],
  versions: readonly { time: number; record: T }[],
  at: number,
) {
  const now = new Map<string, T>(begin.map((x) => [x.id, x]))
  for (const v of versions) if (v.time <= at) now.set(v.record.id, v.record)
  return [...now.values()]
}

const ENDED: readonly string[] = ['closed', 'false_alarm']

export interface Moment {
  level: Level | undefined
  risk: RiskResult | undefined
  /** alarms that were open, the gravest and newest first */
  alarms: Alarm[]
  /** the last reading of each metric until then */
  readings: Map<string, { time: number; value: number; quality: number }>
}

/** The last of points sorted by time that is not later than a moment. */
export function lastBefore(points: readonly [number, number, number][], at: number) {
  let lo = 0
  let hi = points.length
  while (lo < hi) {
    const mid = (lo + hi) >> 1
    if ((points[mid]?.[0] ?? 0) <= at) lo = mid + 1
    else hi = mid
  }
  const p = points[lo - 1]
  return p && { time: p[0], value: p[1], quality: p[2] }
}

/** How things stood at a moment. */
export function momentOf(r: Replayed, at: number): Moment {
  const risk = (r.risk ?? []).filter((v) => v.time <= at).at(-1)?.record
  const readings: Moment['readings'] = new Map()
  for (const s of r.samples ?? []) {
    const p = lastBefore(s.points ?? [], at)
    if (p) readings.set(s.metric, p)
  }
  return {
    level: risk?.level ?? (r.level || undefined),
    risk,
    alarms: latest(r.open ?? [], r.alarms ?? [], at)
      .filter((a) => !ENDED.includes(a.stage))
      .sort((a, b) => b.level - a.level || b.onset - a.onset),
    readings,
  }
}

export type Event =
  | { at: number; kind: 'level'; from: Level | undefined; to: Level }
  | { at: number; kind: 'raised' | 'returned'; alarm: Alarm }
  | { at: number; kind: 'warning'; from: Level; to: Level; id: string }
  | { at: number; kind: 'action'; actor: string; action: string; record: string; text: string }

/** What happened, in order of time: levels that changed, alarms that came and went, warnings, and what people did. */
export function eventsOf(r: Replayed): Event[] {
  const out: Event[] = []
  let level: Level | undefined = r.level || undefined
  for (const v of r.risk ?? []) {
    if (v.record.level !== level) out.push({ at: v.time, kind: 'level', from: level, to: v.record.level })
    level = v.record.level
  }
  const seen = new Map<string, boolean>((r.open ?? []).map((a) => [a.id, a.condition === 'returned']))
  for (const v of r.alarms ?? []) {
    const before = seen.get(v.record.id)
    const back = v.record.condition === 'returned'
    if (before === undefined) out.push({ at: v.time, kind: 'raised', alarm: v.record })
    if (back && before !== true) out.push({ at: v.time, kind: 'returned', alarm: v.record })
    seen.set(v.record.id, back)
  }
  const warned = new Set<string>()
  for (const v of r.warnings ?? []) {
    if (warned.has(v.record.id) || v.record.raised < r.from) continue
    warned.add(v.record.id)
    out.push({ at: v.time, kind: 'warning', from: v.record.from_level, to: v.record.to_level, id: v.record.id })
  }
  for (const a of r.actions ?? [])
    out.push({ at: a.time, kind: 'action', actor: a.actor, action: a.action, record: a.record, text: a.text ?? '' })
  return out.sort((a, b) => a.at - b.at)
}

/** Points with a hole where readings were missing, so that a chart draws no line across it. */
export function withGaps(points: readonly [number, number, number][]): [number, number | null][] {
  const steps = points.slice(1).map((p, i) => p[0] - (points[i]?.[0] ?? 0))
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0
  const out: [number, number | null][] = []
  points.forEach((p, i) => {
    const gap = steps[i - 1] ?? 0
    if (gap > Math.max(5 * usual, 60_000)) out.push([p[0] - gap + 1, null])
    out.push([p[0], p[1]])
  })
  return out
}

const two = (n: number): string => String(n).padStart(2, '0')

/** A time as an input of type datetime-local has it, in the browser's zone. */
export function localInput(ms: number): string {
  const t = new Date(ms)
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}T${two(t.getHours())}:${two(t.getMinutes())}`
}

/** And back; nothing for what is no time. */
export function fromLocalInput(text: string): number | undefined {
  const ms = new Date(text).getTime()
  return text && Number.isFinite(ms) ? ms : undefined
}

const LONGEST = 31 * 86_400_000

/** Why an interval cannot be replayed, as the key of a text; nothing when it can. */
export function wrongInterval(from: number | undefined, to: number | undefined): string {
  if (from === undefined || to === undefined) return 'replay.needInterval'
  if (to <= from) return 'replay.backwards'
  return to - from > LONGEST ? 'replay.tooLong' : ''
}
