// What a list of plants is narrowed to, as its page's address keeps it and the API takes it.
import type { WorkerBand } from '../base/types'

export const FACETS = [
  'region',
  'industry',
  'scale',
  'dust_category',
  'dust',
  'production',
  'access',
  'band',
  'q',
] as const
export type Facet = (typeof FACETS)[number]
export type Narrowed = Partial<Record<Facet, string>>

/** What an address says; anything else in it is left alone. */
export function narrowed(query: Record<string, unknown>): Narrowed {
  const out: Narrowed = {}
  for (const f of FACETS) {
    const v = query[f]
    if (typeof v === 'string' && v) out[f] = v
  }
  return out
}

/** The same as parameters of the API: a band of workers is a least and a most. */
export function parameters(n: Narrowed): Record<string, string | number | undefined> {
  const { band, ...rest } = n
  if (!band) return rest
  const [min, max] = band.split('-').map(Number)
  return {
    ...rest,
    min_workers: min || undefined,
    max_workers: band.endsWith('-') ? undefined : max,
  }
}

/** How an address names a band: 10-29, 100-. */
export const bandKey = (b: Pick<WorkerBand, 'min' | 'max'>): string => (b.max < 0 ? `${b.min}-` : `${b.min}-${b.max}`)

/** One facet changed: the same value again takes it away. */
export function toggled(n: Narrowed, facet: Facet, value: string): Narrowed {
  const out = { ...n }
  if (out[facet] === value) Reflect.deleteProperty(out, facet)
  else out[facet] = value
  return out
}

/** The region above: of a county its city, of a city its province, of a province the country. */
export function regionAbove(region: string): string {
  if (region.length !== 6 || region.endsWith('0000')) return ''
  return region.endsWith('00') ? `${region.slice(0, 2)}0000` : `${region.slice(0, 4)}00`
}

/** Shares of a list of counts, 0 to 1, by the greatest. */
export function shares(counts: readonly number[]): number[] {
  const most = Math.max(1, ...counts)
  return counts.map((c) => c / most)
}
