// A small made-up world in the shapes of the portal's API: test data for the pages, and nothing else.
import { alarms, step, warnings } from './alarms.mjs'
import { COLLECTORS, FACTORS, metricsOf, PLANTS } from './plants.mjs'
import { regionOf } from './search.mjs'
import { DAY, HOUR, MIN } from './times.mjs'

/** The world at a time; site is 'ministry' or 'jiangsu'. Changes made to it by the fixture server stay in memory. */
export function makeWorld(now, siteId) {
  const site =
    siteId === 'ministry'
      ? { id: 'ministry', name: '应急管理部', level: 'ministry' }
      : { id: 'jiangsu', name: '江苏省应急管理厅', level: 'province', region: '320000' }
  const plants = siteId === 'ministry' ? PLANTS : PLANTS.filter((p) => p[0].startsWith('32'))
  const own = PLANTS[0][0]
  const metrics = metricsOf(own)
  const world = { now, site, own, alarms: alarms(now), warnings: warnings(now), metrics }

  world.enterprises = plants.map((p, i) => ({
    enterprise: {
      code: p[0],
      uscc: '91320505MA1000370X',
      name: p[1],
      region: p[0].slice(0, 6),
      address: `${p[2]}厂区`,
      lng: p[3],
      lat: p[4],
      industry: 'C33',
      mem_industry: 'machinery',
      scale: 'small',
      employees: 126,
      dust_workers: p[9],
      max_shift_workers: Math.ceil(p[9] / 2),
      safety_head: '陈*全',
      safety_phone: '138****6021',
      production_state: 'normal',
      access_state: 'connected',
    },
    region_name: p[2],
    industry_name: p[8],
    level: p[5],
    index_milli: p[6],
    online: i !== 10,
    alarms_open: [4, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0][PLANTS.indexOf(p)],
    warnings_open: [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][PLANTS.indexOf(p)],
    origin: p[0].startsWith('37') ? 'shandong' : 'jiangsu',
    dust_names: p[7],
    collectors: 2,
  }))

  world.cleaning = {
    plans: [
      {
        id: `${own}-floor`,
        enterprise: own,
        item: '打磨车间地面与梁架',
        cycle: 'shift',
        method: 'ex_vacuum',
        responsible: '李清扫',
      },
      {
        id: `${own}-duct`,
        enterprise: own,
        item: '风管与除尘器外部',
        cycle: 'week',
        method: 'vacuum',
        responsible: '王清扫',
      },
    ],
    records: [
      {
        id: 'c1',
        plan: `${own}-floor`,
        item: '打磨车间地面与梁架',
        person: '李清扫',
        time: now - 9.4 * HOUR,
        photos: ['photo-1', 'photo-2'],
        note: '梁架积尘约 1 毫米，已清净',
      },
      {
        id: 'c2',
        plan: `${own}-duct`,
        item: '风管与除尘器外部',
        person: '王清扫',
        time: now - 2.1 * DAY,
        photos: ['photo-3'],
        lng: 120.551,
        lat: 31.312,
      },
      {
        id: 'c3',
        plan: `${own}-floor`,
        item: '打磨车间地面与梁架',
        person: '李清扫',
        time: now - 17 * HOUR,
        photos: ['photo-2'],
      },
    ],
  }

  world.spotChecks = [
    {
      spot_check: {
        id: 'sc-3',
        enterprise: own,
        title: '除尘系统运行与当班清扫抽查',
        text: '请反馈 2 号除尘器灰斗温度异常的处置情况，并附现场照片。',
        issued: now - 18 * MIN,
        due: now + 42 * MIN,
        issuer: 'bu01',
        issuer_site: 'ministry',
        stage: 'issued',
      },
      enterprise_name: PLANTS[0][1],
      origin: 'ministry',
      answers: [],
    },
    {
      spot_check: {
        id: 'sc-2',
        enterprise: PLANTS[1][0],
        title: '火花探测与熄灭装置抽查',
        text: '',
        issued: now - 5 * HOUR,
        due: now - 1 * HOUR,
        issuer: 'bu01',
        issuer_site: 'ministry',
        stage: 'answered',
      },
      enterprise_name: PLANTS[1][1],
      origin: 'ministry',
      answers: [
        {
          id: 'an-2',
          text: '已按要求自查，火花探测装置工作正常，上月完成标定，记录见照片。',
          actor: 'm0003',
          time: now - 3 * HOUR,
          attachments: ['photo-1'],
        },
      ],
    },
    {
      spot_check: {
        id: 'sc-1',
        enterprise: own,
        title: '锁气卸灰装置检查',
        text: '核对锁气卸灰装置是否正常运行。',
        issued: now - 3 * DAY,
        due: now - 2 * DAY,
        issuer: 'ji01',
        issuer_site: 'jiangsu',
        stage: 'closed',
        steps: [step('close', 'ji01', '钱值班', now - 2 * DAY, '符合要求')],
      },
      enterprise_name: PLANTS[0][1],
      origin: 'jiangsu',
      answers: [{ id: 'an-1', text: '两台锁气卸灰阀运行正常。', actor: 'm0001', time: now - 2.5 * DAY }],
    },
  ]

  world.risk = {
    id: own,
    enterprise: own,
    time: now - 4 * MIN,
    model: 'DUST-RISK-1.0',
    level: 'red',
    previous_level: 'yellow',
    index_milli: 78_420,
    inherent_milli: 73_000,
    dynamic_milli: 95_925,
    management_milli: 58_000,
    floor: 'F3',
    factors: FACTORS,
  }
  world.history = Array.from({ length: 30 }, (_, i) => ({
    ...world.risk,
    time: now - (29 - i) * 48 * MIN,
    index_milli: Math.round(28_000 + 6000 * Math.sin(i / 3) + (i > 25 ? (i - 25) * 11_000 : 0)),
  }))
  return world
}

export function overview(w, asked) {
  const { list: here, path, regions } = regionOf(w, asked)
  const count = (list) => {
    const levels = { red: 0, orange: 0, yellow: 0, blue: 0 }
    for (const e of list) levels[e.level]++
    return levels
  }
  const open = w.alarms.filter((v) => !['closed', 'false_alarm'].includes(v.alarm.stage))
  return {
    time: Date.now(),
    enterprises: here.length,
    connected: here.length,
    online: here.filter((e) => e.online).length,
    levels: count(here),
    alarms: {
      open: open.length,
      level1: open.filter((v) => v.alarm.level === 1).length,
      level2: open.filter((v) => v.alarm.level === 2).length,
      overdue: 1,
      today: 14,
    },
    warnings: { open: 2, overdue: 1, today: 3 },
    region: asked ?? '',
    path,
    regions,
    ranking: here.map((e) => ({
      enterprise: e.enterprise.code,
      name: e.enterprise.name,
      region: e.enterprise.region,
      region_name: e.region_name,
      level: e.level,
      index_milli: e.index_milli,
      alarms_open: e.alarms_open,
      warnings_open: e.warnings_open,
      online: e.online,
    })),
    by_industry: [
      ['machinery', '机械', 0, 5],
      ['light', '轻工', 5, 9],
      ['textile', '纺织', 9, 99],
    ].map(([industry, name, a, b]) => {
      const list = w.enterprises.slice(a, b)
      return {
        industry,
        name,
        enterprises: list.length,
        online: list.filter((e) => e.online).length,
        levels: count(list),
        alarms_open: list.reduce((s, e) => s + e.alarms_open, 0),
        alarms_overdue: a ? 0 : 1,
        warnings_open: list.reduce((s, e) => s + e.warnings_open, 0),
        warnings_overdue: 0,
      }
    }),
    dust: [
      ['1', '金属(铝镁)', 3],
      ['3', '木', 3],
      ['4', '农副食品', 2],
      ['5', '纺织', 1],
      ['6', '橡塑', 1],
      ['7', '煤', 1],
      ['2', '金属(其他)', 1],
    ].map(([category, name, n]) => ({ category, name, count: n })),
    trend: Array.from({ length: 25 }, (_, i) => ({
      time: w.now - (24 - i) * HOUR,
      red: i > 22 ? 1 : i === 9 ? 1 : 0,
      orange: i > 20 ? 2 : i % 7 === 3 ? 1 : 0,
      yellow: 2 + (i % 3),
      blue: 7 - (i % 3),
    })),
    latest_alarms: open,
  }
}

export function plantView(w, code) {
  const e = w.enterprises.find((x) => x.enterprise.code === code)
  if (!e) return undefined
  const own = code === w.own
  const mine = (v) => (v.alarm ?? v.warning ?? v.spot_check).enterprise === code
  return {
    enterprise: e.enterprise,
    region_name: e.region_name,
    origin: e.origin,
    online: e.online,
    gateways: [
      {
        gateway: { code: `${code}G01`, name: '采集网关', door: 'frames' },
        state: e.online ? 'online' : 'offline',
        since: w.now - DAY,
      },
    ],
    systems: own
      ? COLLECTORS.map(([c, s, name, type, typeName, wet]) => ({
          system: { code: `${code}${s}`, name: `${s.slice(2)}号除尘系统`, mode: 'negative' },
          collectors: [
            {
              collector: { code: `${code}${c}`, system: `${code}${s}`, name, type },
              type_name: typeName,
              wet,
              metrics: w.metrics
                .filter((m) => m.collector === `${code}${c}`)
                .map((m) => ({
                  metric: {
                    code: `${m.collector}${m.kind}01`,
                    kind: m.kind,
                    name: m.name,
                    unit: m.unit,
                    range_lo: 0,
                    range_hi: m.hi,
                    limits: m.limits,
                    period_s: 1,
                  },
                  kind_name: m.name,
                  value: m.value,
                  time: (m.state === 'stale' ? w.now : Date.now()) - m.age,
                  state: m.state,
                  signal: m.signal,
                })),
            },
          ],
        }))
      : [],
    alarms: w.alarms.filter((v) => mine(v) && !['closed', 'false_alarm'].includes(v.alarm.stage)),
    warnings: w.warnings.filter((v) => mine(v) && v.warning.stage !== 'closed'),
    risk: own ? w.risk : null,
    cleaning: own ? w.cleaning : { plans: [], records: [] },
    spot_checks: w.spotChecks.filter(mine),
    cameras: own ? [{ gb_id: '32050500001320000001', name: '2号除尘器卸灰口', site: 'dust_bin' }] : [],
  }
}

export function federation(w) {
  const lanes = (n) => [
    {
      lane: 'events',
      origin: '',
      position: n,
      head: n + 2,
      lag: 2,
      lag_s: 0.4,
      moved: Date.now() - 800,
      checkpoint: n - 40,
    },
    { lane: 'live', position: n * 31, head: n * 31, moved: Date.now() - 300 },
    { lane: 'backfill', position: 118, head: 118, moved: Date.now() - 22 * MIN },
    { lane: 'attachments', position: 57, head: 57, moved: Date.now() - 5 * MIN },
  ]
  const self = {
    site: w.site,
    epoch: 1_795_000_000,
    seq: 48_211,
    digest: '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0',
    checkpoint_seq: 48_190,
    leader: w.site.level === 'ministry' ? 'm1' : 'js-2',
    leading: true,
    replicas:
      w.site.level === 'ministry'
        ? [{ id: 'm1', leader: true, self: true, voter: true }]
        : ['js-1', 'js-2', 'js-3'].map((id) => ({ id, leader: id === 'js-2', voter: true })),
  }
  if (w.site.level !== 'ministry')
    return { self, parent: { site: 'ministry', connected: true, lanes: lanes(48_209) }, children: [], quarantine: [] }
  return {
    self,
    parent: null,
    children: [
      {
        site: { id: 'jiangsu', name: '江苏省应急管理厅', level: 'province' },
        connected: true,
        last_seen: Date.now() - 400,
        version: 'v0.1.0',
        certificate_days_left: 364,
        lanes: lanes(20_455),
        quarantined: 0,
      },
      {
        site: { id: 'shandong', name: '山东省应急管理厅', level: 'province' },
        connected: false,
        last_seen: Date.now() - 14 * MIN,
        version: 'v0.1.0',
        certificate_days_left: 21,
        lanes: lanes(17_902),
        quarantined: 3,
      },
    ],
    quarantine: [
      {
        id: 'q1',
        source: '371302030013G01',
        door: 'mqtt',
        time: w.now - 3 * MIN,
        count: 12,
        violations: [
          {
            record: 'Sample/371302030013C001T0101',
            field: 'time',
            rule: 'future',
            got: '+12m',
            wanted: '不晚于当前时间 5 分钟',
          },
        ],
      },
      {
        id: 'q2',
        source: 'shandong',
        door: '',
        time: w.now - 2 * HOUR,
        count: 1,
        violations: [
          {
            record: 'Enterprise/370100030099',
            field: 'uscc',
            rule: 'uscc',
            got: '91370100MA00000000',
            wanted: '校验位正确的统一社会信用代码',
          },
        ],
      },
    ],
  }
}
