// What the fixture answers to the overview by region, and to the search of plants: parts of regions, counts, saved searches.

const NAMES = {
  320000: '江苏省',
  370000: '山东省',
  320200: '无锡市',
  320300: '徐州市',
  320400: '常州市',
  320500: '苏州市',
  320600: '南通市',
  320700: '连云港市',
  320900: '盐城市',
  321000: '扬州市',
  321100: '镇江市',
  321200: '泰州市',
  370200: '青岛市',
  370600: '烟台市',
  370700: '潍坊市',
  370900: '泰安市',
  371300: '临沂市',
}
const LEVELS = ['red', 'orange', 'yellow', 'blue']
const prefixOf = (region) => (region ?? '').replace(/(0000|00)$/, '')
const homeOf = (w) => (w.site.level === 'ministry' ? '' : prefixOf(w.site.region ?? '320000'))
const codeOf = (prefix) => prefix.padEnd(6, '0')
const nameOf = (w, code) =>
  NAMES[code] ??
  (w.enterprises.find((e) => e.enterprise.region === code)?.region_name ?? code).replace(/^.+?(市|盟|自治州)(?=.)/, '')

function levelsOf(list) {
  const levels = { red: 0, orange: 0, yellow: 0, blue: 0 }
  for (const e of list) levels[e.level]++
  return levels
}

/** A region and its parts, as far as they are counted by plants. */
export function regionOf(w, region) {
  const at = prefixOf(region) || homeOf(w)
  const list = w.enterprises.filter((e) => e.enterprise.region.startsWith(at))
  const parts = [...new Set(list.map((e) => e.enterprise.region.slice(0, Math.min(6, at.length + 2))))].sort()
  const path = []
  for (let n = homeOf(w).length + 2; n <= at.length; n += 2)
    path.push({ region: codeOf(at.slice(0, n)), name: nameOf(w, codeOf(at.slice(0, n))) })
  return {
    list,
    path,
    regions: parts.map((prefix) => {
      const of = list.filter((e) => e.enterprise.region.startsWith(prefix))
      const levels = levelsOf(of)
      const short = nameOf(w, codeOf(prefix))
      return {
        region: codeOf(prefix),
        name: [...path.map((p) => p.name), short].join(''),
        short,
        enterprises: of.length,
        online: of.filter((e) => e.online).length,
        levels,
        alarms_open: of.reduce((n, e) => n + e.alarms_open, 0),
        warnings_open: of.reduce((n, e) => n + e.warnings_open, 0),
        worst: LEVELS.find((l) => levels[l]),
      }
    }),
    levels: levelsOf(list),
  }
}

const yes = (want, is) => !want || (want === 'true') === is
const among = (values, is) => !values || values.split(',').some(is)

/** Plants by the dimensions of a search. */
export function found(w, q, leave = '') {
  const ask = (name) => (leave.split(' ').includes(name) ? '' : (q.get(name) ?? ''))
  return w.enterprises.filter(
    (e) =>
      among(ask('region'), (r) => e.enterprise.region.startsWith(prefixOf(r))) &&
      among(ask('level'), (l) => e.level === l) &&
      among(ask('industry'), (i) => e.enterprise.mem_industry === i) &&
      among(ask('dust_category'), (c) => e.category === c) &&
      (e.enterprise.dust_workers ?? 0) >= Number(ask('min_workers') || 0) &&
      (ask('max_workers') === '' ||
        Number(ask('max_workers')) < 0 ||
        e.enterprise.dust_workers <= Number(ask('max_workers'))) &&
      yes(ask('online'), Boolean(e.online)) &&
      yes(ask('alarm'), e.alarms_open > 0) &&
      yes(ask('warning'), e.warnings_open > 0) &&
      (e.enterprise.name.includes(ask('q')) || e.enterprise.code.includes(ask('q'))),
  )
}

const INDUSTRIES = [
  ['machinery', '机械'],
  ['light', '轻工'],
  ['textile', '纺织'],
]
const CATEGORIES = [
  ['1', '金属(铝镁)'],
  ['2', '金属(其他)'],
  ['3', '木'],
  ['4', '农副食品'],
  ['5', '纺织'],
  ['8', '其他'],
]
const BANDS = [
  [0, 0],
  [1, 9],
  [10, 29],
  [30, 49],
  [50, 99],
  [100, -1],
]

/** Gives plants what a search asks of them. */
export function furnishSearch(w) {
  w.enterprises.forEach((e, i) => {
    e.enterprise.mem_industry ??= INDUSTRIES[i % 3][0]
    e.category = CATEGORIES[i % CATEGORIES.length][0]
  })
  w.searches = [
    { id: 'q1', login: 'bu01', name: '重大和较大风险', query: 'level=red,orange', created: w.now },
    {
      id: 'q2',
      login: 'bu01',
      name: '铝镁粉尘 30 人以上且有报警',
      query: 'dust_category=1&min_workers=30&alarm=true',
      created: w.now,
    },
  ]
}

export function searchAnswer(w, route, q) {
  if (route === '/search/saved') return { items: w.searches }
  if (route !== '/search/facets') return undefined
  const count = (leave, values, is) => {
    const set = found(w, q, leave)
    return values.map(([value, name]) => ({ value, name, count: set.filter((e) => is(e, value)).length }))
  }
  const either = (leave, is) => count(leave, [['true'], ['false']], (e, v) => is(e) === (v === 'true'))
  const at = regionOf(w, q.get('region') ?? '')
  return {
    total: found(w, q).length,
    region: count(
      'region',
      at.regions.map((r) => [r.region, r.name]),
      (e, v) => e.enterprise.region.startsWith(prefixOf(v)),
    ),
    industry: count('industry', INDUSTRIES, (e, v) => e.enterprise.mem_industry === v),
    workers: BANDS.map(([min, max]) => ({
      min,
      max,
      count: found(w, q, 'min_workers max_workers').filter(
        (e) => e.enterprise.dust_workers >= min && (max < 0 || e.enterprise.dust_workers <= max),
      ).length,
    })),
    level: count(
      'level',
      [...LEVELS, 'none'].map((l) => [l]),
      (e, v) => e.level === v,
    ),
    dust_category: count('dust_category', CATEGORIES, (e, v) => e.category === v),
    online: either('online', (e) => Boolean(e.online)),
    alarm: either('alarm', (e) => e.alarms_open > 0),
    alarm_level: [
      { value: '1', count: 3 },
      { value: '2', count: 2 },
    ],
    alarm_overdue: [
      { value: 'true', count: 1 },
      { value: 'false', count: w.enterprises.length - 1 },
    ],
    warning: either('warning', (e) => e.warnings_open > 0),
    warning_overdue: [
      { value: 'true', count: 1 },
      { value: 'false', count: w.enterprises.length - 1 },
    ],
  }
}

export function saveSearch(w, sent, login) {
  const old = w.searches.find((s) => s.id === sent.id)
  if (sent.default) for (const s of w.searches) s.default = false
  if (old) return Object.assign(old, sent)
  const made = { login, created: Date.now(), ...sent, id: `q${Date.now()}` }
  w.searches.push(made)
  return made
}
