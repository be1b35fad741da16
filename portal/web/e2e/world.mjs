// A small made-up world in the shapes of the portal's API: test data for the pages, and nothing else.

import { regionOf } from './search.mjs'

const MIN = 60_000
const HOUR = 60 * MIN
const DAY = 24 * HOUR

const PLANTS = [
  [
    '320505030001',
    '苏州虎丘明辉铝轮毂有限公司',
    '苏州市虎丘区',
    120.55,
    31.31,
    'red',
    78_420,
    ['铝粉'],
    '金属制品业',
    35,
  ],
  [
    '320324030003',
    '睢宁林盛木业有限公司',
    '徐州市睢宁县',
    117.94,
    33.91,
    'orange',
    61_210,
    ['木粉'],
    '木材加工和木、竹、藤、棕、草制品业',
    20,
  ],
  [
    '371302030013',
    '临沂兰山恒森板业有限公司',
    '临沂市兰山区',
    118.35,
    35.05,
    'orange',
    58_930,
    ['木粉'],
    '木材加工和木、竹、藤、棕、草制品业',
    56,
  ],
  [
    '370613030015',
    '烟台莱山轻合金制造有限公司',
    '烟台市莱山区',
    121.45,
    37.51,
    'yellow',
    47_300,
    ['铝铁合金粉'],
    '汽车制造业',
    48,
  ],
  [
    '320281030005',
    '江阴宏达面粉有限公司',
    '无锡市江阴市',
    120.28,
    31.91,
    'yellow',
    41_050,
    ['小麦粉'],
    '农副食品加工业',
    20,
  ],
  [
    '320583030002',
    '昆山精锐镁合金压铸有限公司',
    '苏州市昆山市',
    120.98,
    31.39,
    'yellow',
    38_600,
    ['镁合金粉'],
    '有色金属冶炼和压延加工业',
    22,
  ],
  ['320612030007', '南通通州锦绣棉纺有限公司', '南通市通州区', 121.07, 32.08, 'blue', 29_130, ['棉花'], '纺织业', 110],
  ['320322030004', '沛县汉和家具有限公司', '徐州市沛县', 116.94, 34.72, 'blue', 27_900, ['木粉'], '家具制造业', 42],
  [
    '370783030016',
    '寿光鲁丰玉米淀粉有限公司',
    '潍坊市寿光市',
    118.79,
    36.86,
    'blue',
    26_400,
    ['玉米淀粉'],
    '农副食品加工业',
    61,
  ],
  [
    '320411030008',
    '常州新北华塑粉末涂料有限公司',
    '常州市新北区',
    119.97,
    31.83,
    'blue',
    25_550,
    ['静电粉末涂料'],
    '化学原料和化学制品制造业',
    18,
  ],
  [
    '370983030017',
    '肥城泰山煤粉制备有限公司',
    '泰安市肥城市',
    116.77,
    36.18,
    'blue',
    24_800,
    ['褐煤粉尘'],
    '石油、煤炭及其他燃料加工业',
    13,
  ],
  [
    '370283030019',
    '青岛平度华强铸造有限公司',
    '青岛市平度市',
    119.99,
    36.78,
    'blue',
    21_300,
    ['硅铁合金粉'],
    '金属制品业',
    24,
  ],
]

const factor = (code, name, score, weight, contribution, raw, clause) => ({
  code,
  name,
  raw,
  score_milli: score,
  weight_milli: weight,
  contribution_milli: contribution,
  clause,
})

const FACTORS = [
  factor('H1', '粉尘爆炸特性', 100_000, 87, 8750, '高', '应急管理部令第6号 第十一条; 目录2015'),
  factor('H2', '点火敏感性(最小点火能)', 70_000, 52, 3675, '29', '目录2015'),
  factor('H3', '涉粉作业人数', 70_000, 70, 4900, '35', '应急管理部令第6号 第十一条、第二十二条'),
  factor('H4', '粉尘种类', 100_000, 52, 5250, '1', '应急管理部令第10号 第十一条(四)(六)(九)'),
  factor('H5', '建筑结构', 20_000, 35, 700, 'single_frame', '应急管理部令第6号 第十四条'),
  factor('H6', '除尘系统数量', 30_000, 17, 525, '2', '暴露规模'),
  factor('H7', '防爆措施', 50_000, 35, 1750, 'one', 'GB 15577-2018 7.1.3'),
  factor('D.2.T01', '灰斗内部温度', 100_000, 900, 27_468, 'level2', '技术指导书 二(一)1; AQ 4273 70 °C'),
  factor('D.2.K01', '锁气卸灰故障', 100_000, 600, 10_902, 'level2', 'GB 15577-2018 8.4.6; 部令第10号 十一(六)'),
  factor('M1', '清扫完成率', 50_000, 250, 9500, '50%', '应急管理部令第6号 第十八条'),
  factor('M2', '报警处置', 20_000, 250, 5000, '1', '应急管理部令第6号 第十七条'),
]

const metric = (collector, kind, name, unit, hi, value, state, limits, signal, age) => ({
  collector,
  kind,
  name,
  unit,
  hi,
  value,
  state,
  limits,
  signal,
  age,
})

function metricsOf(code) {
  return [
    metric(`${code}C001`, 'L01', '水箱水位', 'm', 3, 1.04, 'l', { ll: 0.96, l: 1.08, hh: 1.44 }, 'AI', 1000),
    metric(`${code}C001`, 'F01', '循环水流量', 'm³/h', 100, 21.4, 'normal', { ll: 12, l: 16 }, 'AI', 1000),
    metric(`${code}C001`, 'Q01', '氢气浓度', '%LEL', 100, 3.2, 'normal', { h: 25, hh: 50 }, 'AI', 1000),
    metric(`${code}C001`, 'R01', '风机运行', '0/1', 1, 1, 'normal', {}, 'DI', 1000),
    metric(`${code}C001`, 'R02', '生产运行', '0/1', 1, 1, 'normal', {}, 'DI', 1000),
    metric(`${code}C001`, 'A01', '风机电流', 'A', 500, 47.3, 'normal', {}, 'AI', 1000),
    metric(`${code}C002`, 'T01', '灰斗温度', '°C', 200, 73.6, 'hh', { h: 60, hh: 70 }, 'AI', 1000),
    metric(
      `${code}C002`,
      'P01',
      '进出口压差',
      'Pa',
      5000,
      1126,
      'normal',
      { ll: 200, l: 400, h: 1500, hh: 2000 },
      'AI',
      1000,
    ),
    metric(`${code}C002`, 'K01', '锁气卸灰', '0/1', 1, 1, 'fault', { fault_state: 1, fault_level: 2 }, 'DI', 1000),
    metric(`${code}C002`, 'S01', '火花探测', '0/1', 1, 0, 'normal', { fault_state: 1, fault_level: 1 }, 'DI', 1000),
    metric(`${code}C002`, 'R01', '风机运行', '0/1', 1, 1, 'normal', {}, 'DI', 1000),
    metric(`${code}C002`, 'R02', '生产运行', '0/1', 1, 1, 'normal', {}, 'DI', 1000),
    metric(`${code}C002`, 'A01', '风机电流', 'A', 500, 51.8, 'normal', {}, 'AI', 1000),
    metric(`${code}C003`, 'T01', '灰斗温度', '°C', 200, 38.2, 'stale', { h: 60, hh: 70 }, 'AI', 26 * MIN),
    metric(
      `${code}C003`,
      'P01',
      '进出口压差',
      'Pa',
      5000,
      780,
      'stale',
      { ll: 200, l: 400, h: 1500, hh: 2000 },
      'AI',
      26 * MIN,
    ),
    metric(`${code}C003`, 'K01', '锁气卸灰', '0/1', 1, 0, 'stale', { fault_state: 1, fault_level: 2 }, 'DI', 26 * MIN),
    metric(`${code}C003`, 'R01', '风机运行', '0/1', 1, 1, 'stale', {}, 'DI', 26 * MIN),
  ]
}

const COLLECTORS = [
  ['C001', 'S01', '1号除尘器', 'wet_swirl', '湿式旋流', true],
  ['C002', 'S02', '2号除尘器', 'dry_cartridge', '干式滤筒', false],
  ['C003', 'S03', '3号除尘器', 'dry_bag', '干式袋式', false],
]

const step = (action, actor, name, time, text, more = {}) => ({ action, actor, actor_name: name, time, text, ...more })

function alarms(now) {
  const code = PLANTS[0][0]
  const make = (id, plant, kind, rule, ruleName, level, values, stage, condition, age, due, steps = []) => ({
    alarm: {
      id,
      enterprise: plant[0],
      collector: `${plant[0]}C002`,
      metric: `${plant[0]}C002${kind}01`,
      kind,
      rule,
      level,
      ...values,
      onset: now - age,
      raised: now - age + 400,
      ...(condition === 'returned' ? { returned: now - age / 3 } : {}),
      condition,
      stage,
      ...(due ? { stage_due: now + due } : {}),
      ...(due < 0 ? { overdue: true } : {}),
      steps,
    },
    enterprise_name: plant[1],
    metric_name: {
      T01: '灰斗温度',
      K01: '锁气卸灰',
      L01: '水箱水位',
      P01: '进出口压差',
      S01: '火花探测',
      F01: '循环水流量',
    }[kind],
    collector_name: kind === 'L01' || kind === 'F01' ? '1号除尘器' : '2号除尘器',
    rule_name: ruleName,
    origin: plant[0].startsWith('37') ? 'shandong' : 'jiangsu',
    here: now - age + 500,
  })
  const ack = (t) => step('acknowledge', 'm0001', '陈安全', now - t, '')
  const dis = (t) =>
    step('dispose', 'm0001', '陈安全', now - t, '已派人到现场停机检查，清理灰斗并复位锁气阀', { cause: '04' })
  const fed = (t) =>
    step('feed_back', 'm0001', '陈安全', now - t, '处置完成，数值恢复正常，已安排专人巡检。', {
      attachments: ['photo-1', 'photo-2'],
    })
  const P = PLANTS
  return [
    make(
      'jiangsu-a-000131',
      P[0],
      'T01',
      'HH',
      '高高限',
      2,
      { limit: 70, value: 70.4, peak: 73.6, unit: '°C' },
      'raised',
      'active',
      95_000,
      8.5 * MIN,
    ),
    make(
      'jiangsu-a-000130',
      P[0],
      'K01',
      'DI',
      '状态故障',
      2,
      { value: 1, peak: 1, unit: '0/1' },
      'acknowledged',
      'active',
      4 * MIN,
      3.9 * HOUR,
      [ack(3 * MIN)],
    ),
    make(
      'jiangsu-a-000129',
      P[0],
      'L01',
      'L',
      '低限',
      1,
      { limit: 1.08, value: 1.07, peak: 1.04, unit: 'm' },
      'disposed',
      'active',
      32 * MIN,
      20 * HOUR,
      [ack(30 * MIN), dis(12 * MIN)],
    ),
    make(
      'jiangsu-a-000124',
      P[1],
      'S01',
      'DI',
      '状态故障',
      1,
      { value: 1, peak: 1, unit: '0/1' },
      'raised',
      'returned',
      51 * MIN,
      -21 * MIN,
    ),
    make(
      'shandong-a-000077',
      P[2],
      'P01',
      'HH',
      '高高限',
      2,
      { limit: 2000, value: 2012, peak: 2340, unit: 'Pa' },
      'fed_back',
      'returned',
      3 * HOUR,
      0,
      [ack(2.9 * HOUR), dis(2 * HOUR), fed(1 * HOUR)],
    ),
    make(
      'jiangsu-a-000119',
      P[0],
      'F01',
      'LL',
      '低低限',
      2,
      { limit: 12, value: 11.8, peak: 7.2, unit: 'm³/h' },
      'fed_back',
      'returned',
      5 * HOUR,
      0,
      [ack(4.9 * HOUR), dis(4 * HOUR), fed(3 * HOUR)],
    ),
    make(
      'jiangsu-a-000101',
      P[0],
      'T01',
      'H',
      '高限',
      1,
      { limit: 60, value: 60.3, peak: 64.1, unit: '°C' },
      'closed',
      'returned',
      1.2 * DAY,
      0,
      [
        ack(1.19 * DAY),
        dis(1.1 * DAY),
        fed(1 * DAY),
        step('close', 'ji01', '钱值班', now - 0.9 * DAY, '核实无误，予以核销'),
      ],
    ),
  ].map((v) => (v.alarm.enterprise === code ? v : v))
}

function warnings(now) {
  return [
    {
      warning: {
        id: 'jiangsu-w-000021',
        enterprise: PLANTS[0][0],
        from_level: 'yellow',
        to_level: 'red',
        double_jump: true,
        index_milli: 78_420,
        floor: 'F3',
        top: [FACTORS[7], FACTORS[8], FACTORS[9]],
        receivers: ['enterprise', 'county', 'city', 'province'],
        raised: now - 4 * MIN,
        due: now + 116 * MIN,
        stage: 'raised',
      },
      enterprise_name: PLANTS[0][1],
      origin: 'jiangsu',
      here: now,
    },
    {
      warning: {
        id: 'jiangsu-w-000018',
        enterprise: PLANTS[1][0],
        from_level: 'yellow',
        to_level: 'orange',
        index_milli: 61_210,
        top: [factor('D.1.S01', '火花探测', 60_000, 900, 21_600, 'level1', ''), FACTORS[9]],
        receivers: ['enterprise', 'county', 'city'],
        raised: now - 55 * MIN,
        due: now - 5 * MIN,
        overdue: true,
        stage: 'disposed',
        steps: [step('dispose', 'm0003', '陈安全', now - 20 * MIN, '已停产排查火花探测装置')],
      },
      enterprise_name: PLANTS[1][1],
      origin: 'jiangsu',
      here: now,
    },
    {
      warning: {
        id: 'jiangsu-w-000012',
        enterprise: PLANTS[0][0],
        from_level: 'blue',
        to_level: 'yellow',
        index_milli: 36_900,
        top: [FACTORS[9]],
        receivers: ['enterprise', 'county'],
        raised: now - 26 * HOUR,
        due: now - 2 * HOUR,
        stage: 'closed',
        level_back: now - 22 * HOUR,
        closed: now - 22 * HOUR,
        steps: [
          step('dispose', 'm0001', '陈安全', now - 25 * HOUR, '已组织补做清扫'),
          step('feed_back', 'm0001', '陈安全', now - 24 * HOUR, '清扫已完成', { attachments: ['photo-3'] }),
        ],
      },
      enterprise_name: PLANTS[0][1],
      origin: 'jiangsu',
      here: now,
    },
  ]
}

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
