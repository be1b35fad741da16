// Forms from the data dictionary: what a field is asked with, what a record says, and which code a new one may have.
import type { Field, Values } from '../base/types'

export type Ask = 'text' | 'number' | 'whole' | 'bool' | 'choice' | 'choices' | 'record' | 'texts' | 'group' | 'list'

const WHOLE = ['int32', 'int64', 'uint32', 'uint64']

/** With what a field is asked. */
export function askOf(f: Field): Ask {
  if (f.fields) return f.list ? 'list' : 'group'
  if (f.table) return f.list ? 'choices' : 'choice'
  if (f.list) return 'texts'
  if (f.ref) return 'record'
  if (f.kind === 'bool') return 'bool'
  if (WHOLE.includes(f.kind)) return 'whole'
  return f.kind === 'double' ? 'number' : 'text'
}

/** The rules of a field by name; those behind dive are of a list's values. */
export function rulesOf(f: Field): Map<string, string> {
  const own = (f.rule ?? '').split(',dive')[0] ?? ''
  return new Map(
    own
      .split(',')
      .filter(Boolean)
      .map((r) => [r.split('=')[0] ?? r, r.split('=')[1] ?? '']),
  )
}

export const isRequired = (f: Field): boolean => rulesOf(f).has('required')

/** The greatest length of a text; undefined: not bounded. */
export function longest(f: Field): number | undefined {
  const max = rulesOf(f).get('max')
  return f.kind === 'string' && !f.list && max ? Number(max) : undefined
}

/** Bounds of a number. */
export function boundsOf(f: Field): { min?: number; max?: number } {
  const rules = rulesOf(f)
  const min = rules.get('gte') ?? rules.get('gt')
  const max = rules.get('lte') ?? rules.get('lt')
  return { ...(min ? { min: Number(min) } : {}), ...(max ? { max: Number(max) } : {}) }
}

/** Fields whose own names are too short to be read. */
const SHORT: Record<string, string> = {
  uscc: 'Unified social credit code',
  uscc_override: 'Why the credit code is right',
  lng: 'Longitude',
  lat: 'Latitude',
  mem_industry: 'Industry of the ministry',
  scale: 'Size',
  should_access: 'Must be connected',
  mie_mj: 'Minimum ignition energy',
  kst: 'Kst, measured',
  gb_id: 'GB/T 28181 code',
}

/** A field's name: the dictionary's in Chinese, made of the field's own in English. */
export function labelOf(name: string, zh: string, locale: string): string {
  if (locale === 'zh') return zh
  const last = name.split('.').pop() ?? name
  const short = SHORT[last]
  if (short) return short
  const words = last.replace(/_(m2|m3h|kg|mj|ms|s)$/, '').replaceAll('_', ' ')
  return words.length <= 2 ? words.toUpperCase() : words.charAt(0).toUpperCase() + words.slice(1)
}

/** A record without what is empty: what the API takes, and what tells two records apart. */
export function trimmed(values: Values): Values {
  const out: Values = {}
  for (const [name, value] of Object.entries(values)) {
    const v = clean(value)
    if (v !== undefined) out[name] = v
  }
  return out
}

function clean(value: unknown): unknown {
  if (value === '' || value === null || value === undefined || value === false) return undefined
  if (Array.isArray(value)) {
    const list = value.map(clean).filter((v) => v !== undefined)
    return list.length ? list : undefined
  }
  if (typeof value === 'object') {
    const inner = trimmed(value as Values)
    return Object.keys(inner).length ? inner : undefined
  }
  return typeof value === 'string' ? value.trim() : value
}

/** The same without the zeros of fields in which zero is as good as absent. */
export function record(values: Values, fields: readonly Field[]): Values {
  const out = trimmed(values)
  for (const f of fields) {
    const v = out[f.name]
    if (f.fields && !f.list && v !== undefined) {
      const inner = record(v as Values, f.fields)
      if (Object.keys(inner).length) out[f.name] = inner
      else Reflect.deleteProperty(out, f.name)
    } else if (v === 0 && !f.optional) Reflect.deleteProperty(out, f.name)
  }
  return out
}

/** Whether two records say the same. */
export const same = (a: Values, b: Values, fields: readonly Field[]): boolean =>
  stable(record(a, fields)) === stable(record(b, fields))

function stable(v: unknown): string {
  if (Array.isArray(v)) return `[${v.map(stable).join(',')}]`
  if (v && typeof v === 'object')
    return `{${Object.entries(v)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, x]) => `${k}:${stable(x)}`)
      .join(',')}}`
  return JSON.stringify(v)
}

/** The letter and the digits a type's codes have behind their plant's. */
const CODES: Record<string, [string, number]> = {
  Workshop: ['W', 2],
  DustSystem: ['S', 2],
  Collector: ['C', 3],
  Gateway: ['G', 2],
}

/** The first code of a type that is free at a plant; empty where codes come from elsewhere. */
export function nextCode(type: string, plant: string, taken: readonly string[], values: Values = {}): string {
  const own = CODES[type]
  if (own) return free(`${plant}${own[0]}`, own[1], taken)
  if (type === 'CleaningPlan') return free(`${plant}-P`, 2, taken)
  const { collector, kind } = values
  if (type === 'Metric' && typeof collector === 'string' && typeof kind === 'string' && collector && kind)
    return free(collector + kind, 2, taken)
  return ''
}

function free(stem: string, digits: number, taken: readonly string[]): string {
  for (let n = 1; n < 10 ** digits; n++) {
    const code = stem + String(n).padStart(digits, '0')
    if (!taken.includes(code)) return code
  }
  return ''
}

/** What a record is called in a list. */
export function titleOf(values: Values, key: string): string {
  const named = values.name ?? values.item
  return typeof named === 'string' && named ? named : key
}

/** Cells of a table of values that a spreadsheet program would take for formulas are told apart by an apostrophe. */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  const cell = (v: string | number): string => {
    const text = typeof v === 'string' && /^[=+\-@\t\r]/.test(v) ? `'${v}` : String(v)
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return `\ufeff${rows.map((r) => r.map(cell).join(',')).join('\r\n')}\r\n`
}

/** The fields of another version that the reader's own change would undo, and those that both changed. */
export function threeWay(base: Values, mine: Values, theirs: Values, fields: readonly Field[]): Values {
  const out: Values = {}
  const [b, m, t] = [record(base, fields), record(mine, fields), record(theirs, fields)]
  for (const name of new Set([...Object.keys(m), ...Object.keys(t)])) {
    const value = stable(b[name]) === stable(m[name]) ? t[name] : m[name]
    if (value !== undefined) out[name] = value
  }
  return out
}
