// The data dictionary and the code tables, read from the definitions themselves (schema/proto, schema/tables), so that a form looks in the
// fixture as it does on a site.
import { readFileSync } from 'node:fs'

const SCHEMA = new URL('../../../schema/', import.meta.url)
const text = (name) => readFileSync(new URL(name, SCHEMA), 'utf8')

export const TYPES = [
  'Enterprise',
  'Workshop',
  'DustSystem',
  'Collector',
  'Gateway',
  'Metric',
  'Camera',
  'CleaningPlan',
]

/** Messages of records.proto: name, options, fields. */
function messages() {
  const out = new Map()
  for (const [, name, content] of text('proto/dusthub/v1/records.proto').matchAll(/^message (\w+) \{\n(.*?)^\}/gms)) {
    const option = (list, key) => new RegExp(`\\b${key}: "([^"]*)"`).exec(list)?.[1]
    const fields = []
    for (const [, repeated, optional, kind, field, opts] of content.matchAll(
      /^ {2}(repeated )?(optional )?(\w+) (\w+) = \d+ \[\(f\) = \{(.*?)\}\];/gm,
    ))
      fields.push({
        name: field,
        zh: option(opts, 'zh'),
        kind,
        ...(repeated ? { list: true } : {}),
        ...(optional ? { optional: true } : {}),
        ...(/personal: true/.test(opts) ? { personal: true } : {}),
        ...Object.fromEntries(
          ['rule', 'unit', 'table', 'ref', 'source'].map((k) => [k, option(opts, k)]).filter(([, v]) => v),
        ),
      })
    const about = /option \(record\) = \{(.*?)\};/s.exec(content)?.[1] ?? ''
    out.set(name, {
      type: name,
      zh: option(about, 'zh'),
      key: option(about, 'key'),
      clause: option(about, 'clause'),
      fields,
    })
  }
  for (const m of out.values()) for (const f of m.fields) if (out.has(f.kind)) f.fields = out.get(f.kind).fields
  return out
}

function tables() {
  const out = new Map()
  for (const [, name, content] of text('tables/codes.yaml').matchAll(/^(\w+):\n((?: .*\n)+)/gm)) {
    const source = /source: (.*)/.exec(content)?.[1]
    const confidence = /confidence: (.*)/.exec(content)?.[1]
    const list = content.slice(content.indexOf('codes:'))
    out.set(
      name,
      [...list.matchAll(/\[("?[^[\],]+"?), ([^[\],]+), ([^[\]]+)\]/g)].map(([, code, zh, en]) => ({
        code: code.replaceAll('"', ''),
        name: zh.replaceAll('"', ''),
        name_en: en.replaceAll('"', ''),
        source,
        confidence,
      })),
    )
  }
  const rows = (name, separator) =>
    text(`tables/${name}`)
      .split('\n')
      .filter((l) => l && l[0] !== '#')
      .map((l) => l.split(separator))
  out.set(
    'dust',
    rows('dust.txt', '|').map((r) => ({
      code: r[0],
      name: r[2],
      source: '工贸行业重点可燃性粉尘目录(2015版)',
      confidence: 'GK-med',
    })),
  )
  out.set(
    'region',
    rows('region.txt', ' ').map(([code, name]) => ({ code, name, source: 'GB/T 2260', confidence: 'F' })),
  )
  out.set(
    'metric',
    [...text('tables/metric.yaml').matchAll(/code: (\w+), zh: ([^,]+), en: ([^,]+)/g)].map(
      ([, code, name, name_en]) => ({ code, name, name_en }),
    ),
  )
  return out
}

export const MESSAGES = messages()
export const TABLES = tables()
export const zhOf = (type) => MESSAGES.get(type).zh

/** Fields in which two records differ, as the site tells them. */
export function differ(type, was = {}, is = {}) {
  const out = []
  const say = (v) =>
    v === undefined
      ? ''
      : typeof v === 'object'
        ? Array.isArray(v)
          ? v.map(say).join(', ')
          : JSON.stringify(v)
        : String(v)
  const each = (fields, a, b, path, title) => {
    for (const f of fields) {
      if (f.fields && !f.list) each(f.fields, a[f.name] ?? {}, b[f.name] ?? {}, `${path}${f.name}.`, `${title}${f.zh} `)
      else if (say(a[f.name]) !== say(b[f.name]))
        out.push({
          field: path + f.name,
          zh: title + f.zh,
          ...(f.unit ? { unit: f.unit } : {}),
          ...(f.table ? { table: f.table } : {}),
          ...(f.personal ? { personal: true } : { before: say(a[f.name]), after: say(b[f.name]) }),
        })
    }
  }
  each(MESSAGES.get(type).fields, was, is, '', '')
  return out
}
