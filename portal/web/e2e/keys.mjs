// What the fixture answers for keys of machines and for personal data in full.
const DAY = 24 * 3600_000
const GROUPS = {
  overview: ['overview'],
  enterprises: ['enterprises', 'plant'],
  risk: ['risk', 'risk-history', 'hazards'],
  series: ['series'],
  alarms: ['alarms', 'alarm', 'alarm-statistics'],
  warnings: ['warnings', 'warning'],
  records: ['records-write', 'record-export', 'record-import', 'records'],
  schema: ['tables', 'table', 'dictionary'],
}
const ROUTES = Object.entries(GROUPS).flatMap(([tag, ids]) =>
  ids.map((id) => ({ id, tag, method: 'GET', path: `/api/v1/${id}`, summary: id })),
)

function keysOf(site) {
  const now = Date.now()
  return (site.keys ??= [
    {
      id: '8f2c41d07be95a13',
      login: 'ji01',
      name: '省大数据平台读取报警与预警',
      portal: 'regulator',
      routes: ['alarms', 'warnings', 'alarm-statistics'],
      created: now - 40 * DAY,
      expires: now + 50 * DAY,
      used: now - 4 * 60_000,
      used_from: '10.0.8.21',
      state: 'open',
    },
    {
      id: '17b0c9de54aa0f62',
      login: 'm0001',
      name: '集团安全平台',
      portal: 'enterprise',
      routes: ['plant', 'series', 'alarms'],
      created: now - 200 * DAY,
      expires: now - 20 * DAY,
      used: now - 21 * DAY,
      used_from: '172.16.4.9',
      state: 'expired',
    },
    {
      id: 'c3d5a0917e6648bb',
      login: 'old01',
      name: '市局报表',
      portal: 'regulator',
      routes: ['overview'],
      created: now - 90 * DAY,
      expires: now + 275 * DAY,
      state: 'disabled',
    },
  ])
}

/** The answer, or undefined where the route is not of these. */
export function keyAnswer(site, method, route, q, sent, login, role) {
  const refused = (status, code, location) => ({
    status,
    code,
    title: code,
    ...(location ? { errors: [{ location, message: 'refused' }] } : {}),
  })
  if (/^\/records\/.+\/reveal$/.test(route)) {
    if (!role.endsWith('_regulator')) return refused(403, 'forbidden')
    return {
      values: route.includes('/Enterprise/')
        ? [
            { path: 'safety_head', label: '安全负责人', value: '陈安全' },
            { path: 'safety_phone', label: '安全负责人电话', value: '13862206021' },
          ]
        : [{ path: 'steps[0].actor_name', label: '姓名', value: '陈安全' }],
    }
  }
  if (!route.startsWith('/session/keys')) return undefined
  const all = keysOf(site)
  if (route === '/session/keys/routes') return { items: ROUTES }
  if (method === 'POST') {
    if (sent.password !== 'right') return refused(422, 'refused', 'body.password')
    const now = Date.now()
    const key = {
      id: `a1b2c3d4e5f6${all.length}`,
      login,
      name: sent.name,
      portal: 'regulator',
      routes: sent.routes,
      created: now,
      expires: now + sent.days * DAY,
      state: 'open',
    }
    all.unshift(key)
    return { key, secret: `dhk_${key.id}_sZ8xW1q0mB7vTnR4kYc2pLhJ6dGfEa9uXoIyQtKrMvN` }
  }
  if (method === 'DELETE') {
    site.keys = all.filter((k) => !route.endsWith(k.id))
    return {}
  }
  return { items: q.get('login') === '*' && role === 'security_admin' ? all : all.filter((k) => k.login === login) }
}
