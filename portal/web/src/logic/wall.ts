// What a wall screen shows, and when it must say that it is old.
import { LEVELS, type TrendPoint } from '../api'

/** A part of a whole as it is read from afar: 12%, <1%, nothing of nothing. */
export function shareText(part: number | undefined, whole: number | undefined): string {
  if (!part || !whole) return ''
  const p = (part / whole) * 100
  return p < 1 ? '<1%' : `${Math.round(p)}%`
}

/** How old data may be, ms, before they are marked: two readings missed, and some time for the third. */
export const staleAfter = (every: number): number => 2.5 * every

/** The page of a list that is shown at a turn, each turn the next; the first again after the last. */
export function pageAt<T>(list: readonly T[], turn: number, size: number): T[] {
  const pages = Math.max(1, Math.ceil(list.length / size))
  const at = (turn % pages) * size
  return list.slice(at, at + size)
}

/** A trend from the first time at which any plant was judged. */
export function judgedFrom<T extends Partial<TrendPoint>>(points: readonly T[]): readonly T[] {
  const first = points.findIndex((p) => LEVELS.some((l) => p[l]))
  return first < 0 ? [] : points.slice(first)
}
