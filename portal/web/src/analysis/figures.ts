// The figures of the analysis page: shares of what was counted, and which region is above another.
import type { AnalysisDay, BaseRule, RegionPart } from './types'

/** A share in percent with one digit; undefined where there is nothing to share. */
export function share(part: number, whole: number): number | undefined {
  return whole > 0 ? Math.round((part / whole) * 1000) / 10 : undefined
}

/** 97.3% or a dash. */
export const percentText = (value: number | undefined): string => (value === undefined ? '–' : `${value.toFixed(1)}%`)

/** Records that are right. */
export const accuracy = (p: RegionPart): number | undefined => share(p.records - p.records_wrong, p.records)

/** Fields that are filled, required and recommended ones together. */
export const completeness = (p: RegionPart): number | undefined =>
  share(p.required.filled + p.recommended.filled, p.required.asked + p.recommended.asked)

/** The region around a region: of a county its city, of a city its province, of a province the country (""). */
export function above(region: string): string | undefined {
  if (!region) return undefined
  if (region.endsWith('0000')) return ''
  return region.endsWith('00') ? `${region.slice(0, 2)}0000` : `${region.slice(0, 4)}00`
}

/** Rules that something does not conform to, most records first; and how many there are that everything conforms to. */
export function broken(rules: readonly BaseRule[]): { rows: BaseRule[]; kept: number } {
  const rows = rules.filter((r) => r.records > 0).sort((a, b) => b.records - a.records)
  return { rows, kept: rules.length - rows.length }
}

/** A line of a trend: its points as day and percent. */
export interface Line {
  key: string
  tone: 'accent' | 'orange' | 'green'
  points: [number, number][]
}

function line(
  key: string,
  tone: Line['tone'],
  days: readonly AnalysisDay[],
  of: (d: AnalysisDay) => number | undefined,
): Line {
  const points = days.map((d): [number, number | undefined] => [d.day, of(d)])
  return { key, tone, points: points.filter((p): p is [number, number] => p[1] !== undefined) }
}

/** Online rates by day: means over the day. */
export const onlineLines = (days: readonly AnalysisDay[]): Line[] => [
  line('plants', 'accent', days, (d) => share(d.plants_online, d.plants_connected)),
  line('systems', 'orange', days, (d) => share(d.systems_online, d.systems_connected)),
]

/** Quality by day. */
export const qualityLines = (days: readonly AnalysisDay[]): Line[] => [
  line('completeness', 'accent', days, (d) => completeness(d.last)),
  line('accuracy', 'green', days, (d) => accuracy(d.last)),
  line('received', 'orange', days, (d) => d.sensing && share(d.sensing.received, d.sensing.expected)),
]
