// What the fixture answers for accounts, people, authorities and the audit. It checks roles, so that a page which asks for more than
// its role may read is found.
import { HOUR, MIN } from './times.mjs'

/** The people these pages are about. */
export const STAFF = {
  sec01: { name: '孙安全', role: 'security_admin' },
  aud01: { name: '周审计', role: 'audit_admin' },
  sys01: { name: '吴系统', role: 'site_admin' },
  new01: { name: '郑新人', role: 'province_regulator', region: '320000' },
  two01: { name: '王双因', role: 'province_regulator', region: '320000' },
}

/** What must be done before anything else is open. */
export const DUE = { new01: 'password', two01: 'second_factor' }

const ORGS = [
  { code: 'yj', name: '应急管理部' },
  { code: 'js', name: '江苏省应急管理厅', region: '320000', parent: 'yj' },
  { code: 'js-sz', name: '苏州市应急管理局', region: '320500', parent: 'js' },
  { code: 'js-sz-hq', name: '虎丘区应急管理局', region: '320505', parent: 'js-sz' },
  { code: 'js-xz', name: '徐州市应急管理局', region: '320300', parent: 'js' },
]
const QR = `data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVQI12P4z8DAAMQABgEB/yr6zgUAAAAASUVORK5CYII=`

const refused = (status, code, location) => ({
  status,
  code,
  title: code,
  detail: location ?? code,
  ...(location ? { errors: [{ location, message: 'refused' }] } : {}),
})

function peopleOf(site) {
  return (site.people ??= [
    { login: 'bu01', name: '赵值班', role: 'ministry_regulator', org: 'yj', second_factor: true },
    { login: 'ji01', name: '钱值班', role: 'province_regulator', region: '320000', org: 'js' },
    { login: 'm0001', name: '陈安全', role: 'plant_manager', enterprise: '320505030001' },
    { login: 'old01', name: '李离岗', role: 'province_regulator', region: '320500', org: 'js-sz', disabled: true },
    ...Object.entries(STAFF).map(([login, p]) => ({ login, ...p })),
  ])
}

function sessionsOf(site, login) {
  const now = Date.now()
  site.open ??= new Map()
  if (!site.open.has(login))
    site.open.set(login, [
      {
        id: `${login}-1`,
        login,
        created: now - HOUR,
        seen: now - MIN,
        expires: now + 11 * HOUR,
        address: '10.0.3.7',
        current: true,
        agent: 'Mozilla/5.0 (Windows NT 10.0) Chrome/131.0 Safari/537.36',
      },
      {
        id: `${login}-2`,
        login,
        created: now - 3 * HOUR,
        seen: now - 20 * MIN,
        expires: now + 9 * HOUR,
        address: '10.0.8.21',
        agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1',
      },
    ])
  return site.open.get(login)
}

function auditOf(site) {
  const now = Date.now()
  return (site.entries ??= [
    ['sec01', 'user created', 'new01', 'province_regulator'],
    ['ji01', 'login', 'regulator', 'ok'],
    ['ji01', 'plant', '/enterprises/320505030001', 'ok'],
    ['intruder', 'login', 'regulator', 'failed'],
    ['m0001', 'alarm-action', '/alarms/jiangsu-a-000131/actions', 'refused 403'],
    ['ji01', 'limits changed', '320505030001C002T0101', 'ok', 'high=80', 'high=70', '夏季气温高，收紧上限'],
  ].map(([actor, action, subject, result, before, after, reason], i) => ({
    id: `e-${i}`,
    time: now - i * 17 * MIN,
    actor,
    action,
    subject,
    result,
    address: '10.0.3.7',
    before,
    after,
    reason,
  })))
}

function ownAccount(site, method, route, sent, login) {
  const key = `${method} ${route}`
  if (key === 'POST /session/password') {
    if (sent.old === 'wrong') return refused(422, 'refused', 'body.old')
    site.done.add(login)
    return { login }
  }
  if (key === 'POST /session/second-factor/offer')
    return sent.password === 'wrong'
      ? refused(422, 'refused', 'body.password')
      : { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', uri: 'otpauth://totp/x', qr: QR, sealed: 'sealed' }
  if (key === 'POST /session/second-factor') {
    if (sent.code !== '123456') return refused(422, 'refused', 'body.code')
    site.done.add(login)
    site.factors.set(login, { second_factor: true, recovery: 8 })
    return { codes: Array.from({ length: 8 }, (_, i) => `a1b2${i}-c3d4${i}`) }
  }
  if (key === 'POST /session/second-factor/off') {
    site.factors.delete(login)
    return { login }
  }
  return undefined
}

function sessions(site, method, route, q, login) {
  if (route === '/sessions') return { items: sessionsOf(site, q.get('login') || login) }
  if (!route.startsWith('/sessions/') || method !== 'DELETE') return undefined
  for (const list of site.open.values()) {
    const at = list.findIndex((s) => s.id === route.split('/')[2])
    if (at >= 0) list.splice(at, 1)
  }
  return {}
}

function people(site, method, route, q, sent) {
  const all = peopleOf(site)
  if (method === 'POST') {
    if (all.some((p) => p.login === sent.login)) return refused(409, 'exists')
    all.push({ ...sent, password: undefined })
    return sent
  }
  if (method === 'PATCH') {
    const p = all.find((x) => x.login === decodeURIComponent(route.split('/')[2]))
    const { no_second_factor: lost, ...rest } = sent
    if (sent.subject && all.some((x) => x !== p && x.subject === sent.subject)) return refused(409, 'exists')
    return Object.assign(p, rest, lost ? { second_factor: false } : {}, { password: undefined })
  }
  const found = all.filter((p) => p.login.startsWith(q.get('prefix') ?? ''))
  return { items: found.map((p) => ({ ...p, linkable: true })) }
}

function audit(site, route, q) {
  const items = auditOf(site).filter(
    (e) =>
      ['actor', 'action', 'subject'].every((f) => !q.get(f) || e[f] === q.get(f)) &&
      e.result.startsWith(q.get('result') ?? '') &&
      e.time >= Number(q.get('from') ?? 0) &&
      (!q.get('to') || e.time < Number(q.get('to'))),
  )
  return route.endsWith('/export')
    ? { csv: `\ufefftime,actor\r\n${items.map((e) => e.actor).join('\r\n')}` }
    : { items }
}

/** The answer, or undefined where the route is not of these pages. */
export function accountAnswer(site, method, route, q, sent, login, person) {
  const own = ownAccount(site, method, route, sent, login)
  if (own) return own
  if (DUE[login] && !site.done.has(login)) return refused(403, 'due')
  const mine = sessions(site, method, route, q, login)
  if (mine) return mine
  const { role } = person
  if (route.startsWith('/users'))
    return role === 'security_admin' ? people(site, method, route, q, sent) : refused(403, 'forbidden')
  if (route.startsWith('/orgs')) {
    if (role === 'audit_admin' || (method !== 'GET' && role !== 'site_admin')) return refused(403, 'forbidden')
    if (method === 'POST') ORGS.push(sent)
    return { items: ORGS }
  }
  if (route.startsWith('/audit')) return role === 'audit_admin' ? audit(site, route, q) : refused(403, 'forbidden')
  // The administrators of people and of the audit see no plant's data.
  return role === 'security_admin' || role === 'audit_admin' ? refused(403, 'forbidden') : undefined
}
