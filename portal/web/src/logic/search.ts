// A search for plants by the nine dimensions of clause F2.4. It is written the same way everywhere: in the page's address, in the query
// of the API, in a saved search and as what a random draw draws from.

export const DIMENSIONS = [
  'region',
  'industry',
  'min_workers',
  'max_workers',
  'level',
  'dust_category',
  'online',
  'alarm',
  'alarm_level',
  'alarm_overdue',
  'warning',
  'warning_overdue',
  'q',
] as const
export type Dimension = (typeof DIMENSIONS)[number]
export type Search = Partial<Record<Dimension, string>>

const NUMBERS: readonly Dimension[] = ['min_workers', 'max_workers', 'alarm_level']

/** What of an address's parameters is a search. */
export function searchOf(query: Record<string, unknown>): Search {
  const out: Search = {}
  for (const d of DIMENSIONS) {
    const v = query[d]
    if (typeof v === 'string' && v.trim()) out[d] = v.trim()
  }
  return out
}

export const searchOfText = (text: string): Search => searchOf(Object.fromEntries(new URLSearchParams(text)))

/** As a query: in the order of the alphabet, as the site writes it. */
export function searchText(search: Search): string {
  const q = new URLSearchParams()
  for (const d of [...DIMENSIONS].sort()) if (search[d]) q.set(d, search[d])
  return q.toString()
}

export const sameSearch = (a: Search, b: Search): boolean => searchText(a) === searchText(b)
export const isEmpty = (s: Search): boolean => searchText(s) === ''

/** With some dimensions set anew; '' takes one away. */
export function refined(search: Search, change: Search): Search {
  return searchOf({ ...search, ...change })
}

/** As the draw of spot checks wants it: numbers are numbers. */
export function criteriaOf(search: Search): Record<string, string | number> {
  return Object.fromEntries(
    DIMENSIONS.flatMap((d) => (search[d] ? [[d, NUMBERS.includes(d) ? Number(search[d]) : search[d]]] : [])),
  )
}

/** A level more, or one fewer, of those searched for. */
export function toggled(levels: string | undefined, level: string): string {
  const all = levels ? levels.split(',') : []
  return (all.includes(level) ? all.filter((l) => l !== level) : [...all, level]).join(',')
}

// A range of workers is chosen as one value: "10-29", and "100-" without an upper bound.
export const bandValue = (min: number, max: number): string => `${min}-${max < 0 ? '' : max}`
export const bandOf = (s: Search): string =>
  s.min_workers || s.max_workers ? `${s.min_workers ?? '0'}-${s.max_workers ?? ''}` : ''
export function bandChange(value: string): Search {
  const [min = '', max = ''] = value.split('-')
  return { min_workers: min === '0' ? '' : min, max_workers: max }
}

// What is asked of alarms, or of warnings, is chosen as one value: the parameter and what it is to be.
export const ALARM_CHOICES = ['alarm=true', 'alarm_level=2', 'alarm_overdue=true', 'alarm=false'] as const
export const WARNING_CHOICES = ['warning=true', 'warning_overdue=true', 'warning=false'] as const
const CHOSEN = { alarm: ['alarm', 'alarm_level', 'alarm_overdue'], warning: ['warning', 'warning_overdue'] } as const

/** The choice that stands in a search; '' for none. */
export function choiceOf(search: Search, of: 'alarm' | 'warning'): string {
  const d = CHOSEN[of].find((name) => search[name])
  return d ? `${d}=${search[d]}` : ''
}

/** What choosing changes: one parameter is set, its fellows are not. */
export function choiceChange(of: 'alarm' | 'warning', value: string): Search {
  const out: Search = Object.fromEntries(CHOSEN[of].map((d) => [d, '']))
  const [name, is] = value.split('=')
  const d = CHOSEN[of].find((x) => x === name)
  if (d && is) out[d] = is
  return out
}
