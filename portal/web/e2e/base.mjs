// What the fixture answers to the pages of base data. The data dictionary and the code tables are read from the definitions themselves
// (schema/proto, schema/tables), so that a form looks here as it does on a site; records, versions and effects are made up.
import { readFileSync } from 'node:fs'

const SCHEMA = new URL('../../../schema/', import.meta.url)
const text = (name) => readFileSync(new URL(name, SCHEMA), 'utf8')
const HOUR = 3_600_000
const DAY = 24 * HOUR
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

const MESSAGES = messages()
const TABLES = tables()
const zhOf = (type) => MESSAGES.get(type).zh
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

/** Makes a plant's base data, with versions. */
export function found(w) {
  const own = w.own
  let seq = 4100
  const row = (type, record, days) => ({
    type,
    key: record[MESSAGES.get(type).key],
    origin: w.site.id,
    seq: ++seq,
    time: w.now - days * DAY,
    known: w.now - days * DAY,
    record,
  })
  const of = { enterprise: own }
  w.base = [
    row(
      'Enterprise',
      {
        code: own,
        uscc: '91320505MA1000371T',
        name: w.enterprises[0].enterprise.name,
        region: '320505',
        lng: 120.55,
        lat: 31.31,
        industry: 'C33',
        mem_industry: 'machinery',
        scale: 'small',
        employees: 126,
        dust_workers: 35,
        max_shift_workers: 18,
        safety_head: '陈*全',
        safety_phone: '138****5566',
        production_state: 'normal',
        access_state: 'connected',
        should_access: true,
        dusts: [{ dust: '2', daily_yield_kg: 40 }],
      },
      3,
    ),
    row(
      'Workshop',
      { code: `${own}W01`, ...of, name: '轮毂打磨车间', building: 'single_frame', area_m2: 1200, max_workers: 18 },
      90,
    ),
    row(
      'DustSystem',
      {
        code: `${own}S01`,
        ...of,
        workshop: `${own}W01`,
        name: '1号除尘系统',
        mode: 'negative',
        dusts: ['2'],
        process: '打磨',
      },
      90,
    ),
    row(
      'Collector',
      {
        code: `${own}C001`,
        ...of,
        system: `${own}S01`,
        name: '1号除尘器',
        type: 'wet_spray',
        air_volume_m3h: 12000,
        measures: ['venting'],
      },
      90,
    ),
    row(
      'Collector',
      {
        code: `${own}C002`,
        ...of,
        system: `${own}S01`,
        name: '2号除尘器',
        type: 'dry_bag',
        air_volume_m3h: 18000,
        measures: ['venting', 'isolation'],
        lock_gas_device: true,
      },
      41,
    ),
    row('Gateway', { code: `${own}G01`, ...of, name: '车间网关', door: 'mqtt' }, 90),
    ...[
      ['T01', '灰斗温度', '°C', -20, 200, { h: 60, hh: 70, deadband: 2.2 }],
      ['P01', '进出口风压差', 'Pa', 0, 5000, { ll: 200, l: 400, h: 1800, hh: 2400, deadband: 100 }],
    ].map(([kind, name, unit, range_lo, range_hi, limits], i) =>
      row(
        'Metric',
        {
          code: `${own}C002${kind}01`,
          ...of,
          collector: `${own}C002`,
          gateway: `${own}G01`,
          kind,
          name,
          unit,
          ...(range_lo ? { range_lo } : {}),
          range_hi,
          limits,
          period_s: 1,
          required_class: 'required',
          series: i + 1,
        },
        12,
      ),
    ),
    row('Camera', { gb_id: '32050500001320000001', ...of, name: '2号除尘器卸灰口', site: 'dust_bin' }, 60),
    row(
      'CleaningPlan',
      {
        id: `${own}-floor`,
        ...of,
        workshop: `${own}W01`,
        item: '车间地面',
        cycle: 'shift',
        method: 'ex_vacuum',
        responsible: '李*',
      },
      30,
    ),
  ]
}

const judged = (index, inherent) => ({
  model: 'DUST-RISK-1.0',
  level: index > 70_000 ? 'red' : 'orange',
  band: 'orange',
  index_milli: index,
  inherent_milli: inherent,
  dynamic_milli: 31_000,
  management_milli: 18_000,
  factors: [],
})
const effect = (w, more = {}) => ({
  enterprise: w.own,
  before: judged(64_200, 42_000),
  after: judged(68_950, 46_750),
  level_before: 'orange',
  level_after: 'orange',
  warns: false,
  moves: [{ factor: 'H3', name: '涉粉作业人数', before: 14_000, after: 18_750 }],
  ...more,
})

/** Fields in which two records differ, as the site tells them. */
function differ(type, was = {}, is = {}) {
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

function versions(w, type, key) {
  const row = w.base.find((r) => r.type === type && r.key === key)
  if (!row) return { type, key, origin: w.site.id, may: false, items: [] }
  const older = {
    ...row.record,
    ...(type === 'Enterprise' ? { dust_workers: 28, employees: 110 } : { name: '旧名称' }),
  }
  const item = (seq, time, actor, record, was, more = {}) => ({
    seq,
    time,
    actor,
    record,
    fields: differ(type, was, record),
    ...more,
  })
  return {
    type,
    key,
    origin: w.site.id,
    may: true,
    items: [
      item(row.seq, row.time, 'm0001', row.record, older, { current: true }),
      item(row.seq - 900, row.time - 40 * DAY, 'ji01', older, { ...older, address: '旧地址' }),
      item(row.seq - 2100, row.time - 200 * DAY, 'admin', { ...older, address: '旧地址' }, {}),
    ],
  }
}

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

function deviations(w, q) {
  if (q.get('direction') === 'stricter') return { looked: 412 }
  return {
    looked: 412,
    next: 'more',
    items: [
      {
        metric: `${w.own}C002P0101`,
        name: '进出口风压差',
        kind: 'P01',
        kind_name: '进出口风压差',
        unit: 'Pa',
        enterprise: w.own,
        enterprise_name: w.enterprises[0].enterprise.name,
        origin: w.site.id,
        local: true,
        deviations: [
          { field: 'h', laxer: true, actual: 1800, default: 1500, basis: 'GB 15577-2018 8.4.4', confidence: 'P' },
          { field: 'hh', laxer: true, actual: 2400, default: 2000, basis: 'GB 15577-2018 8.4.4', confidence: 'P' },
        ],
        actor: 'ji01',
        time: w.now - 12 * DAY,
        reason: '更换覆膜滤袋，阻力上升',
      },
      {
        metric: '320324030003C001T0101',
        name: '灰斗温度',
        kind: 'T01',
        kind_name: '灰斗内部温度',
        unit: '°C',
        enterprise: '320324030003',
        enterprise_name: '睢宁林盛木业有限公司',
        origin: 'jiangsu',
        local: w.site.id === 'jiangsu',
        deviations: [
          {
            field: 'stuck_ms',
            laxer: true,
            actual: 0,
            absent: true,
            default: 21_600_000,
            basis: 'domain 3: flat_line',
            confidence: 'P',
          },
        ],
      },
    ],
  }
}

/** The answer to a read; undefined: not one of ours. */
export function baseAnswer(w, route, q, portal) {
  const part = route.split('/').map(decodeURIComponent)
  if (route === '/dictionary') return [...MESSAGES.values()].filter((m) => m.key)
  if (part[1] === 'tables' && part[2]) {
    const codes = TABLES.get(part[2])
    return codes && { name: part[2], version: '1.0', codes }
  }
  if (route === '/record-forms')
    return {
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
    }
  if (route === '/base/statistics') return statistics(w, q)
  if (part[1] === 'enterprises' && part[3] === 'file')
    return {
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
    }
  if (part[1] === 'records' && part[4] === 'versions') return versions(w, part[2], part[3])
  if (route === '/code-tables')
    return {
      may: w.site.id === 'ministry',
      ...(w.site.id === 'ministry' ? {} : { root: 'ministry' }),
      items: [...TABLES.keys()].sort().map((name) => {
        const uses = [...MESSAGES.values()]
          .filter((m) => m.key)
          .flatMap((m) =>
            m.fields
              .filter((f) => f.table === name)
              .map((f) => ({ type: m.type, type_zh: m.zh, field: f.name, zh: f.zh })),
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
    }
  if (route === '/limits/defaults')
    return {
      items: [
        {
          kind: 'T01',
          name: '灰斗内部温度',
          field: 'h',
          value: 60,
          unit: '°C',
          of: 'absolute',
          basis: '技术指导书 二(一)1',
          confidence: 'GK-med',
        },
        {
          kind: 'T01',
          name: '灰斗内部温度',
          field: 'hh',
          value: 70,
          unit: '°C',
          of: 'absolute',
          basis: 'AQ 4273 70 °C',
          confidence: 'GK-med',
        },
        {
          kind: 'T01',
          name: '灰斗内部温度',
          field: 'hh',
          value: 0.6667,
          of: 'ignition',
          basis: 'IEC 60079-14: 2/3 云引燃温度',
          confidence: 'GK-hi',
        },
        {
          kind: 'L01',
          name: '水箱水位',
          field: 'l',
          value: 0.9,
          of: 'design',
          for: 'wet',
          basis: 'GB 15577-2018 8.4.10',
          confidence: 'P',
        },
        {
          kind: 'V01',
          name: '风管风速',
          field: 'l',
          value: 23,
          unit: 'm/s',
          of: 'absolute',
          categories: ['1'],
          basis: 'GB 17269, AQ 4272',
          confidence: 'GK-med',
        },
        {
          kind: 'T01',
          name: '灰斗内部温度',
          field: 'stuck_ms',
          value: 21_600_000,
          unit: 'ms',
          of: 'absolute',
          basis: 'domain 3: flat_line',
          confidence: 'P',
        },
      ],
    }
  if (route === '/limits/deviations') return deviations(w, q)
  return undefined
}

/** The answer to a change or a question; undefined: not one of ours. A save on another version than the newest is refused once. */
export function baseQuestion(w, part, sent, q) {
  const route = part.slice(1).join('/')
  if (route === 'records/preview') return [200, preview(w, sent.changes[0])]
  if (part[1] === 'records' && part[3] === 'import') {
    const ok = q.get('preview') !== 'true'
    return [
      200,
      {
        rows: 4,
        created: 1,
        changed: 1,
        same: ok ? 2 : 1,
        written: ok,
        items: [
          {
            row: 4,
            key: '320505030077',
            name: '苏州新区铝材有限公司',
            outcome: 'created',
            fields: differ(
              'Enterprise',
              {},
              { code: '320505030077', name: '苏州新区铝材有限公司', scale: 'small', dust_workers: 12 },
            ),
          },
          {
            row: 5,
            key: w.own,
            name: w.enterprises[0].enterprise.name,
            outcome: 'changed',
            fields: differ('Enterprise', w.base[0].record, { ...w.base[0].record, employees: 130 }),
          },
        ],
        ...(ok || w.goodFile
          ? {}
          : {
              problems: [
                { row: 7, column: 'N', field: 'dust_workers', title: '涉粉作业人数', got: '-1', wanted: 'gte: >= 0' },
                {
                  row: 7,
                  column: 'G',
                  field: 'region',
                  title: '行政区划',
                  got: '苏州',
                  wanted: 'region: a GB/T 2260 code',
                },
              ],
            }),
      },
    ]
  }
  if (route === 'code-tables/preview') {
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
  if (route === 'limits/tighten')
    return [
      200,
      {
        written: sent.preview ? 0 : sent.metrics.length,
        items: sent.metrics.map((metric) => ({
          metric,
          name: '进出口风压差',
          fields: [{ field: 'limits.h', zh: '报警限值 高限(一级)', before: '1800', after: '1500' }],
        })),
        ...(sent.preview
          ? {
              effects: [
                effect(w, {
                  moves: [{ factor: 'D.S01.P01', name: '进出口风压差', before: 0, after: 4_750 }],
                  alarms: [
                    {
                      metric: sent.metrics[0],
                      rule: 'H',
                      name: '高限',
                      level: 1,
                      value: 1640,
                      limit: 1500,
                      unit: 'Pa',
                      raised: true,
                    },
                  ],
                }),
              ],
            }
          : {}),
      },
    ]
  if (route === 'records' && sent.changes) return write(w, sent.changes[0])
  return undefined
}

function preview(w, c) {
  const row = w.base.find((r) => r.type === c.type && r.key === (c.key ?? c.record?.[MESSAGES.get(c.type).key]))
  const record = c.restore ? versions(w, c.type, c.key).items.find((v) => v.seq === c.restore)?.record : c.record
  const item = {
    type: c.type,
    key: row?.key ?? '',
    outcome: c.delete ? 'deleted' : row ? 'changed' : 'created',
    fields: c.delete ? [] : differ(c.type, row?.record, record),
  }
  if (c.delete) {
    const user = w.base.find((r) => r !== row && Object.values(r.record).includes(row.key))
    if (user)
      return {
        ok: false,
        items: [
          {
            ...item,
            outcome: 'refused',
            refused: [
              {
                record: `${c.type}/${row.key}`,
                rule: 'in_use',
                got: `${user.type}/${user.key}`,
                wanted: 'nothing that names it',
              },
            ],
          },
        ],
      }
  }
  if (c.type === 'Enterprise' && (record.dust_workers ?? 0) > (record.employees ?? 0))
    return {
      ok: false,
      items: [
        {
          ...item,
          outcome: 'refused',
          refused: [
            {
              record: `Enterprise/${row.key}`,
              field: 'dust_workers',
              rule: 'ltefield',
              got: String(record.dust_workers),
              wanted: `at most employees, ${record.employees}`,
            },
          ],
        },
      ],
    }
  const missing = MESSAGES.get(c.type).fields.filter(
    (f) => /^required/.test(f.rule ?? '') && !c.delete && record?.[f.name] === undefined,
  )
  if (missing.length)
    return {
      ok: false,
      items: [
        {
          ...item,
          outcome: 'refused',
          refused: missing.map((f) => ({ field: f.name, rule: 'required', wanted: 'a value' })),
        },
      ],
    }
  return {
    ok: true,
    items: [item],
    effects: [c.type === 'Enterprise' ? effect(w) : effect(w, { after: judged(64_200, 42_000), moves: [] })],
  }
}

function write(w, c) {
  const key = c.key ?? c.record?.[MESSAGES.get(c.type)?.key]
  const row = w.base.find((r) => r.type === c.type && r.key === key)
  if (row && c.seq && c.seq !== row.seq)
    return [
      409,
      {
        title: 'Conflict',
        status: 409,
        code: 'changed',
        detail: 'changed by somebody else',
        outdated: { current: row, fields: differ(c.type, row.record, c.record) },
      },
    ]
  if (c.type === 'CodeTable') return [200, { keys: [c.record.name] }]
  if (c.delete) w.base.splice(w.base.indexOf(row), 1)
  else if (row)
    Object.assign(row, {
      record: c.restore ? versions(w, c.type, key).items.find((v) => v.seq === c.restore).record : c.record,
      seq: row.seq + 1000,
      time: Date.now(),
    })
  else
    w.base.push({
      type: c.type,
      key,
      origin: w.site.id,
      seq: 9000 + w.base.length,
      time: Date.now(),
      known: Date.now(),
      record: c.record,
    })
  return [200, { keys: [key] }, c.type, key]
}
