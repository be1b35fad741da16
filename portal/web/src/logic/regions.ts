// Regions by their codes (GB/T 2260): 320000 holds 320500, which holds 320505.
import type { RegionStep, RegionView } from '../api'
import { levelRank } from './composition'

export interface RegionChoice {
  region: string
  name: string
  /** how far below the viewer's own region */
  depth: number
}

/** What the codes of a region's parts begin with: '320000' is '32', '320500' is '3205'; of none it is ''. */
export function prefixOf(region: string): string {
  if (!region || region === '000000') return ''
  if (region.endsWith('0000')) return region.slice(0, 2)
  return region.endsWith('00') ? region.slice(0, 4) : region
}

/** Whether a region holds another, or is it. */
export const holds = (region: string, other: string): boolean => other.startsWith(prefixOf(region))

/** What can be chosen next: the regions on the way to the chosen one, it itself, and its parts. */
export function regionChoices(
  chosen: string,
  path: readonly RegionStep[] = [],
  parts: readonly Pick<RegionView, 'region' | 'name' | 'short'>[] = [],
): RegionChoice[] {
  const out: RegionChoice[] = path.map((p, i) => ({ region: p.region, name: p.name, depth: i }))
  if (chosen && !out.some((c) => c.region === chosen)) out.push({ region: chosen, name: chosen, depth: out.length }) // not read yet
  const depth = out.length
  for (const p of parts)
    if (!out.some((c) => c.region === p.region)) out.push({ region: p.region, name: p.short, depth })
  return out
}

/** The region around a region; a viewer's own has none. */
export function parentOf(region: string, home: string): string {
  const prefix = prefixOf(region)
  if (prefix.length <= prefixOf(home).length + 2) return home
  return prefix.slice(0, prefix.length - 2).padEnd(6, '0')
}

type Danger = Partial<Pick<RegionView, 'worst' | 'alarms_open' | 'enterprises'>>

/** Worst first: by level, by open alarms, by plants. */
export const byDanger = (a: Danger, b: Danger): number =>
  levelRank(b.worst) - levelRank(a.worst) ||
  (b.alarms_open ?? 0) - (a.alarms_open ?? 0) ||
  (b.enterprises ?? 0) - (a.enterprises ?? 0)

/** A region's name as a map has it: without what kind of region it is, where Chinese leaves that out. */
export const placeName = (name: string, locale: string): string =>
  locale === 'zh' ? name.replace(/(?<=..)(省|(壮族|回族|维吾尔)?自治区|特别行政区)$/, '') : name
