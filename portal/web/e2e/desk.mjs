// What the fixture answers to the plant's newer pages: shelves, limits, combined rules, hazards, explanations, notifications.
import { DAY, HOUR, MIN } from './times.mjs'

/** Adds the newer records to a world, and how its alarms are called. */
export function furnish(w) {
  const own = w.own
  const now = w.now
  w.alarms
    .filter((v) => v.alarm.enterprise === own && !['closed', 'false_alarm'].includes(v.alarm.stage))
    .forEach((v, i) =>
      Object.assign(v.alarm, {
        priority: ['critical', 'high', 'medium', 'low'][i % 4],
        escalation: [1, 0, 0, 0][i % 4],
        escalate_due: now + [10.4, 95, 180, 260][i % 4] * MIN,
        remind_due: now + [5.2, 40, 90, 130][i % 4] * MIN,
        calls: [2, 1, 1, 0][i % 4],
        since: v.alarm.onset - (i === 0 ? 10 * MIN : 0),
        ...(i === 0 ? { previous: 'jiangsu-a-000119' } : {}),
        ...(i === 3 ? { suppressed: true, shelf: `${own}-H2` } : {}),
      }),
    )
  const shelf = (id, part, stage, from, until, reason, steps, names) => ({
    shelf: {
      id: `${own}-${id}`,
      enterprise: own,
      ...part,
      kind: 'maintenance',
      reason,
      from,
      until,
      stage,
      actor: 'm0001',
      steps,
    },
    enterprise_name: w.enterprises[0].enterprise.name,
    ...names,
    in_force: stage === 'approved',
    origin: w.site.id,
    here: true,
  })
  const by = (action, name, time, text) => ({ action, actor: name, actor_name: name, time, text })
  w.shelves = [
    shelf('H3', { metric: `${own}C002T0101` }, 'requested', now, now + 4 * HOUR, '更换灰斗温度传感器', [], {
      collector_name: '2号除尘器',
      metric_name: '灰斗温度',
    }),
    shelf(
      'H2',
      { collector: `${own}C001` },
      'approved',
      now - HOUR,
      now + 3 * HOUR,
      '更换滤袋并清理水箱',
      [by('approve', '钱值班', now - 0.9 * HOUR, '同意')],
      {
        collector_name: '1号除尘器',
      },
    ),
    shelf(
      'H1',
      { collector: `${own}C002` },
      'ended',
      now - 2 * DAY,
      now - 1.9 * DAY,
      '年度检修',
      [by('expire', '系统', now - 1.9 * DAY)],
      {
        collector_name: '2号除尘器',
      },
    ),
  ]
  w.rules = [
    {
      rule: {
        id: `${own}-C1`,
        enterprise: own,
        name: '卸灰停止且灰斗升温',
        expression: 'C002T0101 > 55 && C002K0101 == 1',
        level: 2,
        on_delay_ms: 5000,
      },
      origin: w.site.id,
      here: true,
    },
  ]
  w.hazards = [
    {
      hazard: { id: `${own}-MH06`, enterprise: own, code: 'MH06', found: now - 3 * DAY, due: now + 27 * DAY },
      name: '铝镁金属、木粉尘干式除尘系统未设锁气卸灰装置',
      clause: '应急管理部令第10号 第十一条(六)',
    },
    {
      hazard: {
        id: `${own}-MH10`,
        enterprise: own,
        code: 'MH10',
        found: now - 40 * DAY,
        due: now - 10 * DAY,
        closed: now - 12 * DAY,
      },
      name: '未落实粉尘清理制度造成积尘严重',
      clause: '应急管理部令第10号 第十一条(十)',
    },
  ]
  w.channels = [
    {
      channel: { id: 'ch1', kind: 'web_push', name: '陈安全的手机', quiet_from: 1350, quiet_until: 360 },
      state: { sent: 18, failed: 1, last_sent: now - 2 * MIN },
    },
    {
      channel: { id: 'ch2', kind: 'email', name: '' },
      state: { sent: 4, failed: 0, last_error: '550 mailbox unavailable' },
    },
  ]
  w.deliveries = [
    ['sent', '2号除尘器 灰斗温度 高高限', 2 * MIN],
    ['held', '1号除尘器 水箱水位 低限', 50 * MIN],
    ['failed', '风险等级升为红色', 3 * HOUR, '连接超时'],
    ['given_up', '2号除尘器 锁气卸灰 状态故障', 9 * HOUR, '订阅已失效(410)'],
  ].map(([stage, title, age, error], i) => ({
    delivery: {
      id: `d${i}`,
      kind: 'web_push',
      stage,
      at: now - age,
      ...(stage === 'sent' ? { sent: now - age + 900 } : {}),
      ...(error ? { error } : {}),
    },
    channel_name: '陈安全的手机',
    subject_title: title,
  }))
  for (const f of w.risk.factors ?? []) {
    if (f.code.startsWith('D')) f.evidence = [`${own}C002${f.code.slice(-3)}01`, 'jiangsu-a-000131']
  }
  w.history.forEach((r, i) => (r.level = i > 28 ? 'red' : i > 26 ? 'orange' : 'blue'))
  w.history.at(-2).level = 'yellow'
}

const limitsOf = (w, code) => {
  const m = w.metrics.find((x) => `${x.collector}${x.kind}01` === code)
  if (!m) return undefined
  const limits = {
    ...m.limits,
    ...(m.signal === 'AI' ? { deadband: 2, on_delay_ms: 3000, grave_after_ms: 1_800_000 } : {}),
  }
  return {
    metric: code,
    limits,
    defaults: Object.entries(limits).map(([field, value]) => ({
      field,
      value,
      unit: m.unit,
      basis: field.length <= 2 ? 'AQ 4273-2016 6.2.3；GB 15577-2018 8.4.10' : 'domain 5.1',
      confidence: field.length <= 2 ? 'F' : 'P',
    })),
    may: { tighten: true, relax: false },
    history: [
      {
        id: 'h1',
        time: w.now - 9 * DAY,
        actor: 'm0001',
        before: 'h=62',
        after: 'h=60',
        reason: '铝粉更易燃，收紧一般报警',
      },
    ],
  }
}

/** The answer to a reading of the newer records, or undefined. */
export function readDesk(w, part, q) {
  switch (part[1]) {
    case 'shelves':
      return {
        items: w.shelves.filter((v) => q.get('stage') !== 'open' || ['requested', 'approved'].includes(v.shelf.stage)),
      }
    case 'rules':
      return { items: w.rules }
    case 'hazards':
      return { items: w.hazards.filter((v) => q.get('open') !== 'true' || !v.hazard.closed) }
    case 'channels':
      return { items: w.channels }
    case 'deliveries':
      return { items: w.deliveries }
    case 'push-key':
      return { key: 'BA' }
    case 'metrics':
      return part[3] === 'limits' ? limitsOf(w, part[2]) : undefined
    case 'model':
      return part[2] === 'explain'
        ? {
            enterprise: w.own,
            sentences: [
              '2 号除尘系统灰斗内部温度严重报警，使指数升高 27.5 分。',
              '同一系统锁气卸灰故障未处置，触发底线规则 F3，等级提升为红色。',
            ],
            lowers: [
              {
                factor: 'D.2.T01',
                what: '将 2 号除尘器灰斗温度降到 60 °C 以下并完成处置',
                by: 27_500,
                level: 'orange',
              },
              { factor: 'M1', what: '补做打磨车间当班清扫', by: 9500, level: 'red' },
            ],
          }
        : undefined
    default:
      return undefined
  }
}

/** The answer to a change of the newer records: [status, body, type, key], or undefined. */
export function writeDesk(w, part, sent, login) {
  const key = `${w.own}-${Date.now()}`
  if (part[1] === 'shelves' && part[3] === 'actions') {
    const v = w.shelves.find((x) => x.shelf.id === part[2])
    Object.assign(v.shelf, { stage: 'ended' })
    v.in_force = false
    return [200, v, 'Shelf', part[2]]
  }
  if (part[1] === 'shelves') {
    const v = {
      shelf: { id: key, enterprise: w.own, from: Date.now(), stage: 'requested', actor: login, steps: [], ...sent },
      collector_name: '2号除尘器',
    }
    w.shelves.unshift(v)
    return [200, v, 'Shelf', key]
  }
  if (part[1] === 'rules' && part[2] === 'check') {
    const at = sent.expression.indexOf('C009')
    return [
      200,
      at < 0
        ? { ok: true, metrics: [`${w.own}C002T0101`] }
        : { ok: false, error: '没有指标 C009T0101', line: 1, column: at + 1, metrics: [] },
    ]
  }
  if (part[1] === 'rules') {
    const v = { rule: { id: key, enterprise: w.own, ...sent }, here: true }
    w.rules.unshift(v)
    return [200, v, 'CombinedRule', key]
  }
  if (part[1] === 'metrics' && part[4] === 'proposal')
    return [
      200,
      {
        metric: part[2],
        samples: 86_400,
        used: 81_220,
        limits: [{ field: 'h', now: 60, proposed: 56, reason: '历史 99% 在 48.2 以下，留 16% 余量' }],
        warnings: [],
        history: { min: 21.2, p01: 22, p50: 41.4, p99: 48.2, max: 73.6 },
      },
    ]
  if (part[1] === 'metrics') {
    const now = limitsOf(w, part[2])
    if ((sent.limits.h ?? Infinity) > now.limits.h)
      return [
        422,
        {
          title: 'Unprocessable',
          status: 422,
          detail: '企业不能放宽限值',
          violations: [{ field: 'limits.h', wanted: `不高于 ${now.limits.h}` }],
        },
      ]
    return [200, { ...now, limits: sent.limits }, 'Metric', part[2]]
  }
  if (part[1] === 'channels') return [200, part[3] === 'test' ? { ok: true, took_ms: 214 } : sent, 'Channel', key]
  return undefined
}
