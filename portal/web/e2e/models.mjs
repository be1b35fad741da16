// What the fixture answers about risk models: documents, replays, what-if, back-tests and their use.
import { NAME, WOOD } from './ops.mjs'
import { DAY, HOUR, MIN } from './times.mjs'

const DOCUMENT = `version: DUST-RISK-1.0
title: 粉尘涉爆企业动态风险研判模型
weights: {inherent: 0.35, dynamic: 0.45, management: 0.20}
bands: {red: 70, orange: 50, yellow: 35}
inherent:
  - {code: H1, name: 粉尘爆炸特性, weight: 0.25}
`

const models = (w) => [
  {
    version: 'DUST-RISK-1.1',
    title: '粉尘涉爆企业动态风险研判模型',
    publisher: 'ministry',
    published: w.now - 2 * DAY,
    note: '提高锁气卸灰权重，试算后启用',
    origin: 'ministry',
    signature: 'ok',
  },
  {
    version: 'DUST-RISK-1.0',
    title: '粉尘涉爆企业动态风险研判模型',
    active: true,
    configured: true,
    publisher: 'ministry',
    published: w.now - 90 * DAY,
    origin: 'ministry',
    signature: 'ok',
  },
  {
    version: 'DUST-RISK-0.9',
    title: '试行模型',
    publisher: 'ministry',
    published: w.now - 200 * DAY,
    origin: 'ministry',
    signature: 'bad',
    reason: '证书已过期',
  },
]

const factor = (code, name, weight, clause, confidence = 'P') => ({
  code,
  name,
  weight,
  clause,
  source: 'domain 6.2',
  confidence,
})

const model = (w, version) => ({
  ...models(w).find((m) => m.version === version),
  document: DOCUMENT,
  problems: [],
  view: {
    version,
    title: '粉尘涉爆企业动态风险研判模型',
    weights: { inherent: 0.35, dynamic: 0.45, management: 0.2 },
    bands: { red: 70, orange: 50, yellow: 35 },
    inherent: [
      factor('H1', '粉尘爆炸特性', 0.25, '应急管理部令第6号 第十一条; 目录2015', 'F'),
      factor('H2', '点火敏感性(最小点火能)', 0.15, '目录2015', 'GK-med'),
      factor('H3', '涉粉作业人数', 0.2, '应急管理部令第6号 第十一条、第二十二条'),
    ],
    dynamic: [
      {
        ...factor('D9', '同一系统多点异常', 0.3, '技术指导书 二(一)'),
        when: 'alarms_level2 > 1',
        score: 'min(100.0, alarms_level2 * 40.0)',
      },
    ],
    management: [
      factor('M1', '清扫完成率', 0.25, '应急管理部令第6号 第十八条', 'F'),
      factor('M2', '报警处置', 0.25, '应急管理部令第6号 第十七条'),
    ],
    floors: [
      {
        code: 'F1',
        level: 'red',
        text: '灰斗温度、火花、氢气、水位或流量严重报警超时未处置',
        clause: 'domain 6.2',
        confidence: 'P',
        after_s: 600,
      },
      { code: 'F5', level: 'red', text: '氢气浓度严重报警', clause: 'AQ 4272', confidence: 'GK-hi' },
      {
        code: 'F7',
        level: 'orange',
        text: '企业离线超过 24 小时',
        clause: 'domain 6.2',
        confidence: 'P',
        after_s: 86_400,
      },
    ],
    feedback_s: { red: 7200, orange: 28_800, yellow: 86_400 },
    numbers: [
      { path: 'weights.inherent', value: '0.35', line: 3, source: 'domain 6.2', confidence: 'P' },
      { path: 'bands.red', value: '70', line: 4, source: 'domain 6.2', clause: '技术指导书 三', confidence: 'GK-med' },
    ],
  },
})

/** The own plant's interval as it was; judged again, it is orange where it was red. */
function replay(w, from, to, again) {
  const at = (i) => from + ((to - from) * i) / 120
  const own = w.alarms.filter((v) => v.alarm.enterprise === w.own).map((v) => v.alarm)
  const alarms = own.slice(0, 2).flatMap((a, i) => [
    {
      time: at(70 + i * 20),
      record: { ...a, onset: at(70 + i * 20), stage: 'raised', condition: 'active', steps: [] },
    },
    { time: at(96 + i * 15), record: { ...a, onset: at(70 + i * 20), stage: 'acknowledged', condition: 'active' } },
  ])
  const risk = [0, 40, 85, 100].map((i, n) => ({
    time: at(i),
    record: {
      enterprise: w.own,
      time: at(i),
      model: 'DUST-RISK-1.0',
      level: ['blue', 'yellow', 'orange', again ? 'orange' : 'red'][n],
      index_milli: [29_000, 41_000, 58_000, 78_420][n],
    },
  }))
  return {
    enterprise: w.own,
    from,
    to,
    model: again || 'DUST-RISK-1.0',
    step_ms: to - from > 7_200_000 ? Math.round((to - from) / 3600) : 0,
    samples: w.metrics.slice(0, 12).map((m) => ({
      metric: `${m.collector}${m.kind}01`,
      points: Array.from({ length: 121 }, (_, i) => [
        at(i),
        m.signal === 'DI'
          ? Number(i > 80 && m.value)
          : m.value * (0.8 + 0.1 * Math.sin(i / 9) + (i > 80 ? (i - 80) / 200 : 0)),
        0,
      ]).filter((_, i) => i < 50 || i > 58),
    })),
    alarms,
    risk,
    warnings: [],
    models: ['DUST-RISK-1.0'],
    open: own.slice(2, 3).map((a) => ({ ...a, onset: from - HOUR, stage: 'disposed' })),
    level: 'blue',
    actions: [
      { time: at(96), actor: 'm0001', action: 'acknowledge', record: `Alarm/${own[0].id}`, text: '' },
      { time: at(110), actor: 'm0001', action: 'written', record: 'Metric/C002T0101' },
    ],
    ...(again
      ? {
          start: from - DAY,
          differences: [
            {
              what: 'risk',
              time: at(100),
              record: `RiskResult/${w.own}`,
              field: 'level',
              recorded: 'red',
              judged: 'orange',
            },
            { what: 'warning', time: at(100), record: 'Warning/jiangsu-w-000021', recorded: 'red' },
          ],
        }
      : {}),
  }
}

const resultOf = (w, better) => {
  const factors = (w.risk.factors ?? []).map((f) =>
    better && f.code === 'D.2.T01' ? { ...f, raw: 'normal', score_milli: 0, contribution_milli: 0 } : f,
  )
  const r = w.risk
  const index = factors.reduce((s, f) => s + (f.contribution_milli ?? 0), 0)
  return {
    model: r.model,
    level: better ? 'yellow' : r.level,
    band: better ? 'yellow' : 'red',
    ...(better ? {} : { floor: r.floor }),
    index_milli: better ? index : r.index_milli,
    inherent_milli: r.inherent_milli ?? 0,
    dynamic_milli: r.dynamic_milli ?? 0,
    management_milli: r.management_milli ?? 0,
    factors,
  }
}

/** Why the own plant is red, with the inputs it is judged by. */
const explain = (w) => ({
  enterprise: w.own,
  time: w.now,
  level: 'red',
  since: w.now - 4 * MIN,
  result: resultOf(w, false),
  inputs: [
    { name: 'grade', zh: '粉尘爆炸危险级别', value: '高' },
    { name: 'category', zh: '第一种粉尘的种类', value: '1' },
    { name: 'workers', zh: '涉粉作业人数', value: 35, unit: '人' },
    { name: 'measures', zh: '防爆措施', value: 'one' },
    { name: 'stopped', zh: '已报停产', value: false },
    { name: 'T01', zh: '灰斗温度的得分', value: 100, unit: '0-100', evidence: ['jiangsu-a-000131'] },
    { name: 'K01', zh: '锁气卸灰的得分', value: 60, unit: '0-100' },
    { name: 'cleaning_rate', zh: '七日清扫按时完成率', value: 0.5, unit: '0-1' },
    { name: 'M1', zh: '管控因子M1的得分', value: 50, unit: '0-100' },
  ],
  floors: [{ code: 'F3', level: 'red', text: '同一除尘系统两类防护同时严重报警', clause: 'domain 6.2' }],
  sentences: [
    '按模型 DUST-RISK-1.0，研判指数 78.420，指数所处等级为重大；其中固有风险 25.600、动态风险 38.400、管控风险 14.500。',
    '底线规则 F3 成立：同一除尘系统两类防护同时严重报警，等级不低于重大（依据：domain 6.2）。',
    '灰斗内部温度：level2，得分 100.000，贡献 27.500（依据：技术指导书 二(一)1）。',
  ],
  lowers: [
    { factor: 'T01', what: '灰斗内部温度恢复正常并核销报警', by: 27_500, level: 'red' },
    { factor: 'floors', what: '消除全部底线情形', by: 0, level: 'orange' },
  ],
})

/** A back-test, line by line. */
export const backTest = (w) => [
  ...[0, 4, 8, 12].map((done) => ({ progress: { done, total: 12 } })),
  {
    result: {
      plants: 12,
      differ: 2,
      changed: [
        { enterprise: w.own, name: NAME, running: 'orange', draft: 'red', at: w.now - 3 * HOUR },
        { enterprise: WOOD[0], name: WOOD[1], running: 'yellow', draft: 'orange', at: w.now - 9 * HOUR },
      ],
      warnings: { running: 3, draft: 5 },
      levels: { running: { red: 1, orange: 2, yellow: 3, blue: 6 }, draft: { red: 2, orange: 2, yellow: 2, blue: 6 } },
      models: { running: 'DUST-RISK-1.0', draft: 'DUST-RISK-1.1' },
    },
  },
]

const usage = {
  items: [
    ['ji01', 'what_if', 12, 24, 0, 48],
    ['ji01', 'back_test', 2, 24, 0, 18_400],
    ['insurer-1', 'batch', 40, 31_000, 3, 9120],
  ].map(([caller, operation, calls, plants, refused, cpu_ms], n) => ({
    id: `u${n}`,
    day: '2026-11-24',
    caller,
    operation,
    model: 'DUST-RISK-1.0',
    calls,
    plants,
    refused,
    cpu_ms,
  })),
}

/** The answer to a read; undefined: not one of ours. */
export function modelAnswer(w, route, q) {
  const part = route.split('/').map(decodeURIComponent)
  if (route === '/models') return models(w)
  if (part[1] === 'models') return model(w, part[2])
  if (route === '/replay') return replay(w, Number(q.get('from')), Number(q.get('to')))
  if (route === '/model/usage') return usage
  if (part[1] === 'model' && part[2] === 'explain') return explain(w)
  return undefined
}

/** The answer to a question that changes nothing. */
export function modelQuestion(w, part, sent) {
  if (part[1] === 'models' && part[2] === 'check')
    return /weight: x/.test(sent.document)
      ? { ok: false, problems: [{ line: 6, reason: 'weight: not a number' }] }
      : { ok: true, version: 'DUST-RISK-1.2', problems: [] }
  if (part[1] === 'model' && part[2] === 'what-if')
    return {
      enterprise: w.own,
      before: resultOf(w, false),
      after: resultOf(w, true),
      changed: [{ factor: 'D.2.T01', name: '灰斗内部温度', before: 27_500, after: 0 }],
    }
  if (part[1] === 'replay') return replay(w, sent.from, sent.to, sent.version || 'DUST-RISK-1.0')
  return undefined
}
