// Numbers and times as people read them.

const DASH = '–'

/** A reading with as many digits as its size makes sense of: 1523, 68.4, 1.213. */
export function reading(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return DASH
  const size = Math.abs(value)
  const digits = size >= 1000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return String(Number(value.toFixed(digits)))
}

/** Thousandths as a number with one digit: 65690 -> 65.7. */
export function milli(value: number | undefined, digits = 1): string {
  return value === undefined ? DASH : (value / 1000).toFixed(digits)
}

/** A count with thousands separated. */
export function count(value: number | undefined): string {
  return (value ?? 0).toLocaleString('en-US')
}

/** Part of a whole in whole percent; nothing of nothing is 0. */
export function percent(part: number | undefined, whole: number | undefined): number {
  return whole ? Math.round(((part ?? 0) / whole) * 100) : 0
}

/** A span of time in the largest unit that says enough. Negative spans count as none. */
export interface Span {
  unit: 's' | 'min' | 'h' | 'd'
  n: number
}

export function span(ms: number): Span {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 60) return { unit: 's', n: s }
  if (s < 3600) return { unit: 'min', n: Math.floor(s / 60) }
  if (s < 48 * 3600) return { unit: 'h', n: Math.floor(s / 3600) }
  return { unit: 'd', n: Math.floor(s / 86400) }
}

const two = (n: number): string => String(n).padStart(2, '0')

/** 14:03:22 today, 11-24 14:03 this year, 2025-11-24 14:03 before. */
export function clock(ms: number | undefined, now: number): string {
  if (!ms) return DASH
  const t = new Date(ms)
  const n = new Date(now)
  const hm = `${two(t.getHours())}:${two(t.getMinutes())}`
  const md = `${two(t.getMonth() + 1)}-${two(t.getDate())}`
  if (t.getFullYear() !== n.getFullYear()) return `${t.getFullYear()}-${md} ${hm}`
  if (t.getMonth() !== n.getMonth() || t.getDate() !== n.getDate()) return `${md} ${hm}`
  return `${hm}:${two(t.getSeconds())}`
}

/** 2026-11-24 14:03:22, for records. */
export function stamp(ms: number | undefined): string {
  if (!ms) return DASH
  const t = new Date(ms)
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`
  return `${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`
}

/** The last digits of a long id, enough to tell two apart. */
export function shortId(id: string, n = 8): string {
  return id.length > n ? `…${id.slice(-n)}` : id
}
