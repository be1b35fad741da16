// What the fixture answers to the pages of base data.
import { MESSAGES, TABLES, TYPES, zhOf } from './dictionary.mjs'
import { defaults, deviations, tighten } from './limits.mjs'
import { imported, preview, versions, write } from './records.mjs'
import { DAY } from './times.mjs'

const OPEN = [
  'camera_site',
  'cause',
  'cleaning_method',
  'collector_location',
  'industry',
  'mem_industry',
  'region',
  'scale',
]

function statistics(w, q) {
  const scale = q.get('region') || q.get('industry') || q.get('band') || q.get('min_workers') ? 0.18 : 1
  const rows = (list, table) =>
    list.map(([code, n]) => ({
      code,
      name: TABLES.get(table).find((c) => c.code === code)?.name ?? code,
      count: Math.round(n * scale),
      workers: Math.round(n * scale * 27),
    }))
  return {
    enterprises: Math.round(1284 * scale),
    workers: Math.round(34_672 * scale),
    online: Math.round(1101 * scale),
    regions: rows(
      [
        ['320500', 412],
        ['320200', 301],
        ['320300', 208],
        ['320600', 154],
        ['320400', 121],
        ['321000', 88],
      ],
      'region',
    ),
    industries: rows(
      [
        ['machinery', 611],
        ['light', 288],
        ['nonferrous', 190],
        ['textile', 104],
        ['materials', 62],
        ['trade', 29],
      ],
      'mem_industry',
    ),
    scales: rows(
      [
        ['large', 31],
        ['medium', 214],
        ['small', 803],
        ['micro', 236],
      ],
      'scale',
    ),
    bands: [
      [0, 0, 12],
      [1, 9, 402, ''],
      [10, 29, 498, '重点粉尘企业检查范围 [GK-med]'],
      [30, 49, 231, '应急厅函〔2023〕82号：30 人以上 [F]'],
      [50, 99, 108],
      [100, -1, 33],
    ].map(([min, max, n, source]) => ({ min, max, count: Math.round(n * scale), source })),
    dust_categories: rows(
      [
        ['1', 512],
        ['3', 377],
        ['2', 204],
        ['4', 140],
      ],
      'dust_category',
    ),
    dusts: rows(
      [
        ['2', 402],
        ['26', 331],
        ['1', 74],
        ['17', 98],
        ['33', 61],
      ],
      'dust',
    ),
    production: rows(
      [
        ['normal', 1171],
        ['stopped', 72],
        ['maintenance', 30],
        ['closed', 11],
      ],
      'production_state',
    ),
    access: rows(
      [
        ['connected', 1120],
        ['commissioning', 58],
        ['due', 81],
        ['exempt', 25],
      ],
      'access_state',
    ),
  }
}

/** Which records somebody may write, and what of them. */
const forms = (portal) => ({
  items: TYPES.map((type) => ({
    type,
    zh: zhOf(type),
    write: portal === 'regulator' || type !== 'Gateway',
    delete: type !== 'Metric' && type !== 'Enterprise',
    create: type !== 'Enterprise' && (portal === 'regulator' || type !== 'Gateway'),
    fixed: [
      MESSAGES.get(type).key,
      'enterprise',
      ...(type === 'Enterprise' && portal === 'enterprise'
        ? ['region', 'ministry_code', 'uscc', 'access_state', 'should_access']
        : []),
    ],
    given: type === 'Metric' ? ['series'] : [],
  })),
})

/** All base data of the own plant (一企一档). */
const file = (w) => ({
  enterprise: w.base[0],
  region_name: '江苏省苏州市虎丘区',
  origin: w.site.id,
  local: true,
  online: true,
  level: 'red',
  index_milli: 78_420,
  changed: w.base[0].time,
  missing: ['address'],
  parts: TYPES.slice(1).map((type) => ({ type, zh: zhOf(type), items: w.base.filter((r) => r.type === type) })),
})

const codeTables = (w) => ({
  may: w.site.id === 'ministry',
  ...(w.site.id === 'ministry' ? {} : { root: 'ministry' }),
  items: [...TABLES.keys()].sort().map((name) => {
    const uses = [...MESSAGES.values()]
      .filter((m) => m.key)
      .flatMap((m) =>
        m.fields.filter((f) => f.table === name).map((f) => ({ type: m.type, type_zh: m.zh, field: f.name, zh: f.zh })),
      )
    const replaced = name === 'cleaning_method'
    return {
      name,
      version: replaced ? '2' : '1.0',
      codes: TABLES.get(name).length,
      shipped: !replaced,
      open: OPEN.includes(name),
      uses,
      ...(uses.length ? { zh: uses[0].zh } : {}),
      ...(replaced ? { origin: 'ministry', seq: 88, time: w.now - 20 * DAY } : {}),
    }
  }),
})

/** What another code table in the place of one in force would lead to. */
function tableEffect(w, sent) {
  const now = TABLES.get(sent.name)
  const gone = now.filter((c) => !sent.codes.some((x) => x.code === c.code))
  return [
    200,
    {
      complete: true,
      added: sent.codes
        .filter((c) => !now.some((x) => x.code === c.code))
        .map((c) => ({ code: c.code, after: c.name })),
      removed: gone.map((c) => ({ code: c.code, before: c.name })),
      invalid: gone.slice(0, 1).map((c) => ({
        type: 'CleaningPlan',
        type_zh: '清扫计划',
        field: 'method',
        zh: '方式',
        code: c.code,
        name: c.name,
        count: 318,
        keys: [`${w.own}-floor`],
      })),
    },
  ]
}

/** The answer to a read; undefined: not one of ours. */
export function baseAnswer(w, route, q, portal) {
  const part = route.split('/').map(decodeURIComponent)
  if (part[1] === 'tables' && part[2]) {
    const codes = TABLES.get(part[2])
    return codes && { name: part[2], version: '1.0', codes }
  }
  if (part[1] === 'enterprises' && part[3] === 'file') return file(w)
  if (part[1] === 'records' && part[4] === 'versions') return versions(w, part[2], part[3])
  switch (route) {
    case '/dictionary':
      return [...MESSAGES.values()].filter((m) => m.key)
    case '/record-forms':
      return forms(portal)
    case '/base/statistics':
      return statistics(w, q)
    case '/code-tables':
      return codeTables(w)
    case '/limits/defaults':
      return defaults()
    case '/limits/deviations':
      return deviations(w, q)
    default:
      return undefined
  }
}

/** The answer to a change or a question; undefined: not one of ours. A save on another version than the newest is refused once. */
export function baseQuestion(w, part, sent, q) {
  const route = part.slice(1).join('/')
  if (route === 'records/preview') return [200, preview(w, sent.changes[0])]
  if (part[1] === 'records' && part[3] === 'import') return imported(w, q.get('preview') === 'true')
  if (route === 'code-tables/preview') return tableEffect(w, sent)
  if (route === 'limits/tighten') return tighten(w, sent)
  if (route === 'records' && sent.changes) return write(w, sent.changes[0])
  return undefined
}
