// What the fixture answers on the pages of the analysis and of reports: figures of a province by its cities, or of the country by its provinces.
import { DAY } from './times.mjs'

const RULES = [
  [
    'code_region',
    'Enterprise',
    '企业编码前六位与行政区划不一致',
    "The code does not begin with the plant's county",
    '平台建议',
    'P',
    4,
    4,
  ],
  [
    'coordinates',
    'Enterprise',
    '经纬度不在所属省级区划范围内',
    "The coordinates lie outside the plant's province",
    '省级示意边界',
    'P',
    21,
    21,
  ],
  [
    'connected_without_metric',
    'Enterprise',
    '标为已接入但没有启用的监测指标',
    'Said to be connected but has no metric in use',
    '平台建议',
    'P',
    7,
    7,
  ],
  [
    'collector_required',
    'Collector',
    '除尘器缺少必选监测指标',
    'A collector lacks required metrics',
    '技术指导书 二(一)1',
    'F',
    96,
    138,
  ],
  [
    'collector_measure',
    'Collector',
    '干式除尘器未登记防爆措施',
    'No explosion protection is stated for a dry collector',
    'GB 15577-2018 7.1.3',
    'F',
    52,
    61,
  ],
  [
    'limits_missing',
    'Metric',
    '应设报警限值的指标未设限值',
    'A metric that wants alarm limits has none',
    '平台建议',
    'P',
    40,
    112,
  ],
  [
    'limits_order',
    'Metric',
    '报警限值超出量程或高低倒置',
    'Alarm limits outside the range or out of order',
    '平台建议',
    'P',
    0,
    0,
  ],
]
const FIELDS = [
  ['Enterprise.lng', 'Enterprise', 'lng', false, '粉尘涉爆企业未填经度', 'Enterprise without lng', 35, 35],
  [
    'Enterprise.safety_phone',
    'Enterprise',
    'safety_phone',
    false,
    '粉尘涉爆企业未填安全负责人电话',
    'Enterprise without safety phone',
    12,
    12,
  ],
  ['Collector.maker', 'Collector', 'maker', false, '除尘器未填生产厂家', 'Collector without maker', 210, 398],
  [
    'Enterprise.industry',
    'Enterprise',
    'industry',
    true,
    '粉尘涉爆企业未填国民经济行业',
    'Enterprise without industry',
    0,
    0,
  ],
]
const READINGS = [
  ['gaps', '数据缺失', 'Gaps', '收到的采样少于应有的九成', 'Fewer than nine in ten of the samples due', 86],
  ['over_range', '超量程', 'Over range', '读数超出指标量程', "Readings outside the metric's range", 14],
  [
    'stuck',
    '数值不变',
    'Stuck',
    '风机运行时读数长时间不变（报警）',
    'A value that does not move while the fan runs (alarm)',
    9,
  ],
  [
    'frequent',
    '频繁报警',
    'Frequent alarms',
    '一日内同一指标报警五次及以上',
    'Five or more alarms of one metric in a day',
    23,
  ],
]

const CITIES = {
  320100: '江苏省南京市',
  320200: '江苏省无锡市',
  320300: '江苏省徐州市',
  320400: '江苏省常州市',
  320500: '江苏省苏州市',
  321200: '江苏省泰州市',
}
const PROVINCES = { 320000: '江苏省', 330000: '浙江省', 370000: '山东省', 410000: '河南省', 440000: '广东省' }

function part(region, name, n, i = 0) {
  const connected = Math.round(n * (0.93 - 0.02 * (i % 4)))
  const online = Math.round(connected * (0.97 - 0.03 * (i % 3)))
  return {
    region,
    name,
    plants: { due: n, connected, online },
    systems: { due: n * 2, connected: Math.round(connected * 1.9), online: Math.round(online * 1.85) },
    required: { asked: n * 90, filled: n * 90 },
    recommended: { asked: n * 40, filled: Math.round(n * (36 - (i % 5))) },
    records: n * 16,
    records_wrong: Math.round(n * (0.4 + 0.1 * (i % 3))),
  }
}

const partsOf = (w, region) =>
  Object.entries(region || w.site.level !== 'ministry' ? CITIES : PROVINCES).map(([code, name], i) =>
    part(code, name, 180 + i * 37, i),
  )

const firstFull = (now) => Math.floor((now + DAY / 3) / DAY) * DAY - DAY / 3 // midnight in China

const KINDS = ['daily', 'weekly', 'monthly']
const LONG = [DAY, 7 * DAY, 30 * DAY]

export function reportOf(w, kind, from, region = w.site.region ?? '', actor = 'site') {
  const i = KINDS.indexOf(kind)
  const names = { ...CITIES, ...PROVINCES }
  return {
    id: `${kind}-${region || '000000'}-${from}`,
    kind,
    ...(region ? { region, region_name: names[region] } : {}),
    from,
    until: from + LONG[i],
    made: from + LONG[i] + 7_200_000,
    actor,
    alarms: [182, 1284, 5410][i],
    warnings: [6, 42, 171][i],
    red: 3,
  }
}

function reportList(w, kind) {
  const day = firstFull(Date.now())
  const made = [1, 2, 3, 4, 5, 6].map((n) => reportOf(w, 'daily', day - n * DAY))
  made.splice(2, 0, reportOf(w, 'weekly', day - 9 * DAY), reportOf(w, 'daily', day - 3 * DAY, '320500', 'ji01'))
  made.push(reportOf(w, 'monthly', day - 45 * DAY))
  return { items: made.filter((r) => !kind || r.kind === kind) }
}

export function analysisAnswer(w, route, q) {
  const now = Date.now()
  if (route === '/reports') return reportList(w, q.get('kind'))
  const region = q.get('region') ?? ''
  if (route === '/analysis') {
    const names = { ...CITIES, ...PROVINCES }
    return {
      ...part(
        region || (w.site.region ?? ''),
        region ? names[region] : w.site.level === 'ministry' ? '' : '江苏省',
        1480,
      ),
      time: now,
      enterprises: 1480,
      complete: true,
      judged: 1480,
      rules: [
        ...RULES.map(([id, type, zh, en, source, confidence, plants, records]) => ({
          id,
          type,
          zh,
          en,
          source,
          confidence,
          plants,
          records,
        })),
        ...FIELDS.map(([id, type, field, required, zh, en, plants, records]) => ({
          id,
          type,
          field,
          required,
          zh,
          en,
          plants,
          records,
        })),
      ],
      sensing: {
        from: firstFull(now),
        to: now - 600_000,
        series: 10_210,
        expected: 21_480_000,
        received: 21_034_120,
        rules: READINGS.map(([id, zh, en, about_zh, about_en, metrics]) => ({
          id,
          zh,
          en,
          about_zh,
          about_en,
          metrics,
          value: 1,
          confidence: 'P',
        })),
      },
      parts: region && !region.endsWith('0000') ? [] : partsOf(w, region),
    }
  }
  if (route === '/analysis/trend') {
    const days = Number(q.get('days') ?? 30)
    return {
      days: Array.from({ length: days }, (_, i) => {
        const p = part('', '', 1480, i)
        return {
          day: firstFull(now) - (days - 1 - i) * DAY,
          samples: 24,
          plants_connected: 1376,
          plants_online: 1376 * (0.93 + 0.03 * Math.sin(i / 3)),
          systems_connected: 2610,
          systems_online: 2610 * (0.91 + 0.04 * Math.sin(i / 4)),
          last: { ...p, records_wrong: Math.round(1480 * (0.7 - i / 200)) },
          levels: { red: 3, orange: 31, yellow: 290, blue: 1050 },
          ...(i < 3
            ? {}
            : {
                sensing: {
                  series: 10_210,
                  expected: 1000,
                  received: 955 + (i % 5) * 8,
                  gaps: 1,
                  over_range: 1,
                  stuck: 1,
                  frequent: 1,
                },
              }),
        }
      }),
    }
  }
  const plants = w.enterprises.slice(0, 6)
  if (route === '/analysis/findings')
    return {
      items: plants.map((e, i) => ({
        enterprise: e.enterprise.code,
        name: e.enterprise.name,
        region: e.enterprise.region,
        region_name: e.region_name,
        records: Array.from({ length: (i % 3) + 1 }, (_, n) => ({
          type: 'Collector',
          key: `${e.enterprise.code}C00${n + 1}`,
          name: `${n + 1}号除尘器`,
          got: ['锁气卸灰故障', '进出口风压差、锁气卸灰故障', '灰斗内部温度'][n],
        })),
        total: i === 2 ? 26 : (i % 3) + 1,
      })),
      next: 'more',
    }
  if (route === '/analysis/issues')
    return {
      items: plants.map((e, i) => ({
        enterprise: e.enterprise.code,
        enterprise_name: e.enterprise.name,
        region_name: e.region_name,
        collector: `${e.enterprise.code}C001`,
        collector_name: '1号除尘器',
        metric: `${e.enterprise.code}C001T010${i + 1}`,
        metric_name: '灰斗内部温度',
        unit: '°C',
        rule: q.get('rule') ?? 'gaps',
        count: 812 + i * 37,
        expected: 8640,
        worst: 231.4,
      })),
    }
  return undefined
}
