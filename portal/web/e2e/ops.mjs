// What the fixture's world answers for the regulators' further pages: shelves, hazards, rules, statistics, notices.
import { DAY, HOUR, MIN } from './times.mjs'

export const NAME = '苏州虎丘明辉铝轮毂有限公司'
export const WOOD = ['320324030003', '睢宁林盛木业有限公司']

/** Says of the world's alarms how urgent they are and who was called. */
export function urgency(w) {
  const set = (i, more) => Object.assign(w.alarms[i].alarm, more)
  const now = w.now
  set(0, {
    priority: 'critical',
    calls: 2,
    since: now - 7 * MIN,
    remind_due: now + 4 * MIN,
    escalate_due: now + 8.5 * MIN,
    previous: 'jiangsu-a-000101',
  })
  set(1, { priority: 'high', calls: 1, escalate_due: now + 3.9 * HOUR, remind_due: now + 2 * HOUR })
  set(2, { priority: 'medium', suppressed: true, shelf: 'sh-1' })
  set(3, {
    priority: 'critical',
    escalation: 2,
    calls: 6,
    remind_due: now + 3 * MIN,
    escalate_due: now + 9 * MIN,
    steps: [
      { action: 'escalate', actor: 'site', time: now - 21 * MIN, text: '签收超期，升级至企业负责人' },
      { action: 'escalate', actor: 'site', time: now - 11 * MIN, text: '签收超期，升级至县级' },
    ],
  })
  set(4, { priority: 'high' })
  set(5, { priority: 'high', escalation: 1 })
  set(6, { priority: 'low' })
}

const shelf = (w, id, plant, name, more, view = {}) => ({
  shelf: {
    id,
    enterprise: plant,
    kind: 'maintenance',
    from: w.now - HOUR,
    until: w.now + 5 * HOUR,
    actor: 'm0001',
    ...more,
  },
  enterprise_name: name,
  kind_name: '检修',
  origin: w.site.id,
  ...view,
})

const shelves = (w) => [
  shelf(
    w,
    'sh-2',
    WOOD[0],
    WOOD[1],
    { stage: 'requested', reason: '更换火花探测器，预计 4 小时', from: w.now + HOUR },
    { collector_name: '1号除尘器', metric_name: '火花探测' },
  ),
  shelf(
    w,
    'sh-1',
    w.own,
    NAME,
    { stage: 'approved', reason: '水箱清淤，水位低于正常值' },
    { collector_name: '1号除尘器', metric_name: '水箱水位', in_force: true },
  ),
  shelf(
    w,
    'sh-3',
    w.own,
    NAME,
    {
      stage: 'approved',
      kind: 'design',
      actor: 'ji01',
      reason: '停机时压差无意义',
      condition: 'C002R0101 == 0',
      until: w.now + 300 * DAY,
    },
    { collector_name: '2号除尘器', in_force: true, origin: 'jiangsu' },
  ),
]

const hazard = (w, id, plant, name, region, code, text, clause, more) => ({
  hazard: {
    id,
    enterprise: plant,
    code,
    found: w.now - 6 * DAY,
    due: w.now + 24 * DAY,
    evidence: [`Enterprise/${plant}`],
    ...more,
  },
  name: text,
  clause,
  enterprise_name: name,
  region: plant.slice(0, 6),
  region_name: region,
  origin: 'jiangsu',
})

const hazards = (w) => [
  hazard(
    w,
    'h1',
    w.own,
    NAME,
    '苏州市虎丘区',
    'MH03',
    '干式除尘系统未采取泄爆、惰化、抑爆等措施',
    '部令第10号 第十一条(三)',
    { evidence: [`Collector/${w.own}C002`, `DustSystem/${w.own}S02`] },
  ),
  hazard(
    w,
    'h2',
    w.own,
    NAME,
    '苏州市虎丘区',
    'MH06',
    '铝镁金属、木粉尘干式除尘系统未设锁气卸灰装置',
    '部令第10号 第十一条(六)',
    { due: w.now - 2 * DAY, overdue: true, found: w.now - 32 * DAY },
  ),
  hazard(
    w,
    'h3',
    WOOD[0],
    WOOD[1],
    '徐州市睢宁县',
    'MH10',
    '未落实粉尘清理制度造成积尘严重',
    '部令第10号 第十一条(十)',
    {},
  ),
  hazard(
    w,
    'h4',
    '370613030015',
    '烟台莱山轻合金制造有限公司',
    '烟台市莱山区',
    'MH06',
    '铝镁金属、木粉尘干式除尘系统未设锁气卸灰装置',
    '部令第10号 第十一条(六)',
    {},
  ),
]

const rules = (w) => [
  {
    rule: {
      id: `${w.own}-R1`,
      enterprise: w.own,
      name: '风机运行而锁气卸灰故障',
      expression: 'C002R0101 == 1 && C002K0101 == 1',
      level: 2,
      on_delay_ms: 5000,
    },
    enterprise_name: NAME,
    origin: w.site.id,
  },
  {
    rule: {
      id: `${w.own}-R2`,
      enterprise: w.own,
      name: '温度偏高且压差下降',
      expression: 'C002T0101 > 55 && C002P0101 < 500',
      level: 1,
      on_delay_ms: 30_000,
      off_delay_ms: 60_000,
      disabled: true,
    },
    enterprise_name: NAME,
    origin: w.site.id,
  },
]

const hours = Array.from({ length: 24 }, (_, i) => Math.round(6 + 5 * Math.sin((i - 5) / 3.8) + (i === 14 ? 9 : 0)))

const statistics = (w) => ({
  from: w.now - 7 * DAY,
  to: w.now,
  alarms: 1284,
  per_operator_hour: 7.6,
  peak_10min: { at: w.now - 3.4 * DAY, count: 17 },
  flood_share: 0.008,
  floods: [{ from: w.now - 3.4 * DAY, to: w.now - 3.4 * DAY + 20 * MIN, count: 31, peak: 17 }],
  by_priority: [
    { priority: 'critical', count: 61, share: 0.048, target_share: 0.05 },
    { priority: 'high', count: 212, share: 0.165, target_share: 0.15 },
    { priority: 'medium', count: 340, share: 0.265, target_share: 0.3 },
    { priority: 'low', count: 671, share: 0.522, target_share: 0.5 },
  ],
  by_kind: [],
  by_metric: [
    ['灰斗温度', 301],
    ['进出口压差', 244],
    ['水箱水位', 187],
    ['锁气卸灰', 121],
    ['火花探测', 77],
    ['循环水流量', 52],
  ].map(([name, count], i, all) => ({
    metric: `${w.own}C00${1 + (i % 3)}X${i}`,
    name,
    enterprise: w.own,
    enterprise_name: NAME,
    count,
    share: count / 1284,
    cumulative: all.slice(0, i + 1).reduce((s, r) => s + r[1], 0) / 1284,
  })),
  by_enterprise: [
    { enterprise: w.own, name: NAME, count: 702, share: 0.547, cumulative: 0.547 },
    { enterprise: WOOD[0], name: WOOD[1], count: 288, share: 0.224, cumulative: 0.771 },
  ],
  by_hour: hours,
  chattering: [{ metric: 'm1', name: '进出口压差', enterprise: w.own, rule: 'H', count: 44, shortest_ms: 3200 }],
  fleeting: [{ metric: 'm2', name: '火花探测', enterprise: WOOD[0], rule: 'DI', count: 12, shortest_ms: 800 }],
  standing: [
    {
      alarm: 'jiangsu-a-000129',
      metric: 'm3',
      name: '水箱水位',
      enterprise: w.own,
      since: w.now - 31 * HOUR,
      hours: 31,
    },
  ],
  suppressed: { shelved: 2, out_of_service: 1, design: 1 },
  responses: {
    ack_ms: { p50: 95_000, p90: 410_000, p99: 1_500_000, n: 1190 },
    dispose_ms: { p50: 2_100_000, p90: 9_000_000, p99: 30_000_000, n: 1102 },
    close_ms: { p50: 15_000_000, p90: 80_000_000, p99: 160_000_000, n: 1050 },
    overdue: 38,
    escalated: 21,
  },
  verdicts: [
    {
      code: 'rate',
      name: '每班组每小时报警数',
      value: 7.6,
      unit: '条/时',
      limit: 6,
      ok: false,
      judged: true,
      source: 'EEMUA 191',
      confidence: 'GK-hi',
    },
    {
      code: 'peak',
      name: '10 分钟峰值',
      value: 17,
      unit: '条',
      limit: 10,
      ok: false,
      judged: true,
      source: 'EEMUA 191',
      confidence: 'GK-hi',
    },
    {
      code: 'flood',
      name: '报警泛滥时间占比',
      value: 0.008,
      unit: '1',
      limit: 0.01,
      ok: true,
      judged: true,
      source: 'ISA-18.2',
      confidence: 'GK-hi',
    },
    {
      code: 'standing',
      name: '长期存在报警',
      value: 1,
      unit: '条',
      limit: 5,
      ok: true,
      judged: false,
      source: 'ISA-18.2',
      confidence: 'GK-med',
    },
  ],
  actors: [{ role: 'plant_manager', name: '陈安全', count: 640 }],
})

const trend = (w) => ({
  step: 'hour',
  points: Array.from({ length: 168 }, (_, i) => ({
    at: w.now - (168 - i) * HOUR,
    count: hours[i % 24] + (i % 7),
    high: Math.round(hours[i % 24] / 4),
    flood: i === 86,
  })),
})

const channelsOf = (w) =>
  (w.duty ??= {
    items: [
      {
        channel: {
          id: 'ch-1',
          login: 'ji01',
          kind: 'sms',
          name: '值班手机',
          priority: 'high',
          quiet_from: 0,
          quiet_until: 0,
          created: w.now - 40 * DAY,
        },
        state: { sent: 212, failed: 1, last_sent: w.now - 9 * MIN },
      },
      {
        channel: {
          id: 'ch-2',
          login: 'ji01',
          kind: 'webhook',
          name: '指挥平台',
          priority: 'critical',
          quiet_from: 1320,
          quiet_until: 420,
          created: w.now - 9 * DAY,
        },
        state: { sent: 31, failed: 4, last_sent: w.now - 3 * HOUR, last_error: 'connection refused' },
      },
    ],
  })

const deliveries = (w) => ({
  items: [
    {
      delivery: {
        id: 'd1',
        channel: 'ch-1',
        login: 'ji01',
        kind: 'sms',
        subject: 'Alarm/jiangsu-a-000131',
        stage: 'sent',
        tries: 1,
        at: w.now - 90_000,
        sent: w.now - 88_500,
      },
      channel_name: '值班手机',
      subject_title: '灰斗温度 高高限',
    },
    {
      delivery: {
        id: 'd2',
        channel: 'ch-2',
        login: 'ji01',
        kind: 'webhook',
        subject: 'Alarm/jiangsu-a-000131',
        stage: 'failed',
        tries: 3,
        next: w.now + 2 * MIN,
        error: 'connection refused',
        at: w.now - 90_000,
      },
      channel_name: '指挥平台',
      subject_title: '灰斗温度 高高限',
    },
    {
      delivery: {
        id: 'd3',
        channel: 'ch-1',
        login: 'ji01',
        kind: 'sms',
        subject: 'Warning/jiangsu-w-000021',
        stage: 'held',
        tries: 0,
        at: w.now - 4 * MIN,
      },
      channel_name: '值班手机',
      subject_title: '由一般升至重大',
    },
  ],
})

/** The answer to a reading, or nothing where these pages have none. */
export function opsAnswer(w, route, q) {
  const part = route.split('/').map(decodeURIComponent)
  if (route === '/shelves') {
    const stage = q.get('stage')
    return {
      items: shelves(w).filter(
        (v) =>
          (!stage || stage === 'open' || v.shelf.stage === stage) && (!q.get('kind') || v.shelf.kind === q.get('kind')),
      ),
    }
  }
  if (route === '/hazards')
    return {
      items: hazards(w).filter(
        (v) =>
          (!q.get('enterprise') || v.hazard.enterprise === q.get('enterprise')) &&
          q.get('open') !== 'false' &&
          (!q.get('overdue') || Boolean(v.hazard.overdue) === (q.get('overdue') === 'true')),
      ),
    }
  if (route === '/rules') return { items: rules(w) }
  if (route === '/alarms/statistics') return statistics(w)
  if (route === '/alarms/statistics/series') return trend(w)
  if (route === '/channels') return channelsOf(w)
  if (route === '/deliveries') return deliveries(w)
  if (part[1] === 'metrics' && part[3] === 'limits')
    return {
      metric: part[2],
      limits: { h: 60, hh: 70, deadband: 2, on_delay_ms: 3000 },
      disabled: false,
      design: 0,
      defaults: [
        { field: 'h', value: 60, unit: '°C', basis: '技术指导书 二(一)1', confidence: 'GK-hi' },
        { field: 'hh', value: 70, unit: '°C', basis: 'AQ 4273', confidence: 'F' },
      ],
      may: { tighten: true, relax: true },
      history: [],
    }
  return undefined
}

/** Deletes what can be deleted; whether there was such a thing. */
export function opsDelete(w, part) {
  const list = channelsOf(w).items
  const at = list.findIndex((c) => part[1] === 'channels' && c.channel.id === part[2])
  if (at >= 0) list.splice(at, 1)
  return at >= 0
}

/** The answer to a question that changes nothing. */
export function opsQuestion(w, part, sent) {
  if (part[1] === 'rules' && part[2] === 'check')
    return /C009/.test(sent.expression)
      ? { ok: false, error: 'no metric C009T0101 in this plant', line: 1, column: 1, metrics: [] }
      : { ok: true, metrics: ['C002T0101'] }
  if (part[1] === 'channels' && !part[2]) {
    const list = channelsOf(w).items
    const { address: _, subscription: __, ...kept } = sent
    const old = list.find((c) => c.channel.id === sent.id)
    if (old) old.channel = { ...kept, created: old.channel.created }
    else list.push({ channel: { ...kept, id: `ch-${list.length + 1}`, created: w.now }, state: { sent: 0, failed: 0 } })
    return old ?? list.at(-1)
  }
  if (part[1] === 'channels' && part[3] === 'test') return { ok: true, took_ms: 214 }
  if (part[4] === 'proposal')
    return {
      metric: part[2],
      from: w.now - 30 * DAY,
      to: w.now,
      samples: 86_400,
      used: 84_112,
      limits: [{ field: 'h', now: 60, proposed: 57, reason: '历史 p99 为 52.1，加 10 % 余量' }],
      warnings: [],
      history: { p01: 21.2, p50: 38.4, p99: 52.1, min: 19.8, max: 73.6 },
    }
  return undefined
}
