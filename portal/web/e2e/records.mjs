// A plant's base data in the fixture: records with versions, what a change would lead to, and the change.
import { differ, MESSAGES } from './dictionary.mjs'
import { DAY } from './times.mjs'

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
export const effect = (w, more = {}) => ({
  enterprise: w.own,
  before: judged(64_200, 42_000),
  after: judged(68_950, 46_750),
  level_before: 'orange',
  level_after: 'orange',
  warns: false,
  moves: [{ factor: 'H3', name: '涉粉作业人数', before: 14_000, after: 18_750 }],
  ...more,
})

export function versions(w, type, key) {
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

/** What an imported file comes to. */
export function imported(w, preview) {
  const ok = !preview
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

export function preview(w, c) {
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

export function write(w, c) {
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
