// A fixture server for looking at the pages without a site: serves dist as the real portals do (same content security policy) and
// answers the API from the made-up world in world.mjs, kept in memory. For tests alone; it checks no password.
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { analysisAnswer, reportOf } from './analysis.mjs'
import { accountAnswer, DUE, STAFF } from './account.mjs'
import { baseAnswer, baseQuestion } from './base.mjs'
import { keyAnswer } from './keys.mjs'
import { furnish, readDesk, writeDesk } from './desk.mjs'
import { hostile } from './payload.mjs'
import { backTest, modelAnswer, modelQuestion } from './models.mjs'
import { opsAnswer, opsDelete, opsQuestion, urgency } from './ops.mjs'
import { found } from './records.mjs'
import { found as searched, furnishSearch, saveSearch, searchAnswer } from './search.mjs'
import { federation, makeWorld, overview, plantView } from './world.mjs'

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const TYPES = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
}
const POLICY = JSON.parse(await readFile(new URL('../policy.json', import.meta.url), 'utf8')) // the real portals' own
const permissions = (portal) =>
  [
    ...POLICY.permissions[portal],
    ...POLICY.never
      .filter((name) => !POLICY.permissions[portal].some((p) => p.startsWith(`${name}=`)))
      .map((n) => `${n}=()`),
  ].join(', ')
const OPEN = {
  alarms: ['raised', 'acknowledged', 'disposed', 'fed_back'],
  warnings: ['raised', 'disposed', 'fed_back'],
}

const packed = new Map()

/** A file as the real portals send it: compressed once, where the browser takes that and it helps. */
function compressed(req, file, data) {
  if (!/\bbr\b/.test(req.headers['accept-encoding'] ?? '') || /\.png$/.test(file)) return { data, headers: {} }
  const key = `${file} ${data.length}`
  if (!packed.has(key)) packed.set(key, brotliCompressSync(data))
  return { data: packed.get(key), headers: { 'Content-Encoding': 'br' } }
}

/** An answer as the real portals send it: compressed quickly, but for the session with its token. */
function quick(req, route, text) {
  if (!/\bgzip\b/.test(req.headers['accept-encoding'] ?? '') || text.length < 200 || route.startsWith('/session'))
    return { data: text, headers: {} }
  return { data: gzipSync(text, { level: 1 }), headers: { 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' } }
}

const photo = (n) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 120"><rect width="160" height="120" fill="${['#6b7a86', '#8a7b62', '#57707a'][n % 3]}"/><path d="M20 110V50l40-20 40 20v60z" fill="#c6ced4"/><circle cx="122" cy="78" r="24" fill="#e6e9eb"/></svg>`

const PEOPLE = {
  ...STAFF,
  bu01: { name: '赵值班', role: 'ministry_regulator' },
  ji01: { name: '钱值班', role: 'province_regulator', region: '320000' },
  m0001: {
    name: '陈安全',
    role: 'plant_manager',
    enterprise: '320505030001',
    enterprise_name: '苏州虎丘明辉铝轮毂有限公司',
  },
}

async function body(req) {
  const parts = []
  for await (const part of req) parts.push(part)
  return Buffer.concat(parts)
}

/** One site: its world, who listens, and its two portals. */
export class Site {
  constructor(id, { now = Date.now(), hostile = false } = {}) {
    this.world = makeWorld(now, id)
    urgency(this.world)
    furnish(this.world)
    found(this.world)
    furnishSearch(this.world)
    this.hostile = hostile // texts that would run if they were taken for markup
    this.listeners = new Set()
    this.sessions = new Map()
    this.factors = new Map() // second factors, by login
    this.done = new Set() // who did what was due
    this.files = 0
    this.workerNote = '' // another one makes another version of the service worker
    this.mishap = undefined // what befalls the next check-in: 'lost' answer, or 'refused'
    this.servers = []
    this.beat = setInterval(() => this.readings(), 1000)
  }

  async listen(portal, port = 0) {
    const server = http.createServer((req, res) => {
      this.serve(portal, req, res).catch((e) => {
        console.error('fixture:', e)
        res.writeHead(500).end()
      })
    })
    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
    this.servers.push(server)
    return `http://127.0.0.1:${server.address().port}`
  }

  close() {
    clearInterval(this.beat)
    for (const res of this.listeners) res.end()
    for (const server of this.servers) {
      server.closeAllConnections()
      server.close()
    }
  }

  /** New readings, a little moved, as a plant has them; what is stale stays as it is. */
  readings() {
    const values = this.world.metrics
      .filter((m) => m.state !== 'stale')
      .map((m) => ({
        metric: `${m.collector}${m.kind}01`,
        time: Date.now(),
        value: m.signal === 'AI' ? m.value * (1 + Math.sin(Date.now() / 3000) * 0.004) : m.value,
        quality: 0,
      }))
    for (const res of this.listeners)
      if (res.enterprise === this.world.own) this.tell(res, 'latest', { enterprise: this.world.own, values })
  }

  tell(res, event, data) {
    res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  changed(type, key) {
    for (const res of this.listeners)
      this.tell(res, 'change', {
        type,
        key,
        origin: this.world.site.id,
        enterprise: this.world.own,
        seq: 1,
        time: Date.now(),
      })
  }

  /** A new alarm, as if the engine had raised it. */
  raise() {
    const now = Date.now()
    const first = this.world.alarms[0]
    const id = `jiangsu-a-${now}`
    this.world.alarms.unshift({
      ...first,
      alarm: {
        ...first.alarm,
        id,
        onset: now - 300,
        raised: now,
        steps: [],
        stage: 'raised',
        condition: 'active',
        stage_due: now + 600_000,
      },
    })
    this.changed('Alarm', id)
    return id
  }

  async serve(portal, req, res) {
    const url = new URL(req.url, 'http://localhost')
    if (url.pathname.startsWith('/api/v1/')) return this.api(portal, req, res, url)
    const file = TYPES[path.extname(url.pathname)] ? url.pathname.slice(1) : `${portal}.html`
    const data = await readFile(path.join(DIST, path.normalize(file))).catch(() => undefined)
    if (!data) return res.writeHead(404).end()
    const note = file === 'worker.js' ? this.workerNote : ''
    const small = compressed(req, file, note ? Buffer.concat([data, Buffer.from(note)]) : data)
    res
      .writeHead(200, {
        'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream',
        'Content-Security-Policy': POLICY.content.join('; '),
        'Permissions-Policy': permissions(portal),
        'X-Content-Type-Options': 'nosniff',
        'Cache-Control': file.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
        Vary: 'Accept-Encoding',
        ...small.headers,
      })
      .end(small.data)
  }

  async api(portal, req, res, url) {
    const route = url.pathname.slice('/api/v1'.length)
    const q = url.searchParams
    const json = (data, status = 200, headers = {}) => {
      const small = quick(req, route, JSON.stringify(this.hostile ? hostile(data) : data))
      const always = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
      return res.writeHead(status, { ...always, ...headers, ...small.headers }).end(small.data)
    }
    const refuse = (status, detail) =>
      json({ title: http.STATUS_CODES[status], status, detail, code: String(status) }, status)
    const cookie = /dusthub_session=(\w+)/.exec(req.headers.cookie ?? '')?.[1]
    const login = this.sessions.get(`${portal}:${cookie}`)
    const sessionOf = (name) => ({
      user: { login: name, ...PEOPLE[name], ...this.factors.get(name) },
      portal,
      site: this.world.site,
      csrf: 'fixture',
      expires: Date.now() + 3_600_000,
      ...(DUE[name] && !this.done.has(name) ? { due: DUE[name] } : {}),
    })

    if (route === '/session' && req.method === 'POST') {
      const { login: name } = JSON.parse(await body(req))
      const person = PEOPLE[name]
      if (!person || Boolean(person.enterprise) !== (portal === 'enterprise')) return refuse(401, 'no')
      const token = `s${this.sessions.size}${Date.now()}`
      this.sessions.set(`${portal}:${token}`, name)
      return json(sessionOf(name), 200, { 'Set-Cookie': `dusthub_session=${token}; HttpOnly; SameSite=Strict; Path=/` })
    }
    if (route === '/session/ways') return json({})
    if (!login) return refuse(401, 'not logged in')
    if (req.method !== 'GET' && req.headers['x-csrf-token'] !== 'fixture') return refuse(403, 'csrf')
    if (route === '/session') {
      if (req.method === 'DELETE') this.sessions.delete(`${portal}:${cookie}`)
      return req.method === 'DELETE' ? res.writeHead(204).end() : json(sessionOf(login))
    }
    const sent =
      ['POST', 'PATCH'].includes(req.method) && /^\/(session|users|orgs)|\/reveal$/.test(route)
        ? JSON.parse(await body(req))
        : {}
    const own =
      keyAnswer(this, req.method, route, q, sent, login, PEOPLE[login].role) ??
      accountAnswer(this, req.method, route, q, sent, login, PEOPLE[login])
    if (own?.csv) return res.writeHead(200, { 'Content-Type': 'text/csv; charset=utf-8' }).end(own.csv)
    if (own) return own.status ? json(own, own.status) : json(own)
    if (route === '/events') return this.events(req, res, q.get('enterprise'))
    return this.records(portal, req, json, refuse, route, q, { res, login })
  }

  events(req, res, enterprise) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    res.enterprise = enterprise
    this.tell(res, 'hello', { time: Date.now(), site: this.world.site.id })
    this.listeners.add(res)
    req.on('close', () => this.listeners.delete(res))
  }

  async records(portal, req, json, refuse, route, q, { res, login }) {
    const w = this.world
    const own = portal === 'enterprise' ? w.own : q.get('enterprise')
    const part = route.split('/').map(decodeURIComponent)
    const ofPlant = (v) => !own || (v.alarm ?? v.warning ?? v.spot_check).enterprise === own
    const staged = (list, kind, get) => {
      const stage = q.get('stage')
      return list.filter(
        (v) => ofPlant(v) && (!stage || (stage === 'open' ? OPEN[kind].includes(get(v)) : get(v) === stage)),
      )
    }
    if (route === '/model/back-test') {
      res.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
      for (const line of backTest(w)) res.write(`${JSON.stringify(line)}\n`)
      return res.end()
    }
    if (req.method === 'POST') return this.change(req, json, refuse, part, login, q)
    if (req.method === 'DELETE') return opsDelete(w, part) ? json({ keys: [part[2]] }) : refuse(404, route)
    const base = part[2] === 'forbidden' ? undefined : baseAnswer(w, route, q, portal)
    if (base) return json(base)
    if (/^\/(records\/\w+\/(template|export)|search\/export)$/.test(route)) return res.writeHead(200).end('PK')
    const desk = portal === 'enterprise' ? readDesk(w, part, q) : undefined
    if (desk) return json(desk)
    if (part[1] === 'reports' && part[3] === 'export')
      return res.writeHead(200, { 'Content-Type': 'application/pdf' }).end('%PDF-1.4')
    if (route === '/overview') return json(overview(w, q.get('region')))
    if (route === '/federation') return json(federation(w))
    if (route === '/cleaning') return json(w.cleaning)
    if (route === '/spot-checks') return json({ items: staged(w.spotChecks, 'alarms', (v) => v.spot_check.stage) })
    if (route === '/alarms')
      return json({
        items: staged(w.alarms, 'alarms', (v) => v.alarm.stage).filter(
          (v) =>
            (!q.get('level') || v.alarm.level === Number(q.get('level'))) &&
            (!q.get('kind') || v.alarm.kind === q.get('kind')) &&
            (!q.get('priority') || v.alarm.priority === q.get('priority')) &&
            (!q.get('overdue') || Boolean(v.alarm.overdue) === (q.get('overdue') === 'true')) &&
            (!q.get('suppressed') || Boolean(v.alarm.suppressed) === (q.get('suppressed') === 'true')) &&
            (v.alarm.escalation ?? 0) >= Number(q.get('escalation') ?? 0),
        ),
      })
    if (route === '/warnings')
      return json({
        items: staged(w.warnings, 'warnings', (v) => v.warning.stage).filter(
          (v) => !q.get('overdue') || Boolean(v.warning.overdue) === (q.get('overdue') === 'true'),
        ),
      })
    if (route === '/enterprises') {
      const items = searched(w, q)
      return json({ items, total: items.length })
    }
    const ops =
      opsAnswer(w, route, q) ?? modelAnswer(w, route, q) ?? analysisAnswer(w, route, q) ?? searchAnswer(w, route, q)
    if (ops) return json(ops)
    const found = {
      alarms: w.alarms.find((v) => v.alarm.id === part[2]),
      warnings: w.warnings.find((v) => v.warning.id === part[2]),
    }[part[1]]
    if (found) return json(found)
    if (part[1] === 'enterprises') {
      if (part[2] === 'forbidden') return refuse(403, 'outside your area')
      if (part[4] === 'history') return json({ items: w.history })
      if (part[3] === 'risk') return json(w.risk)
      const view = plantView(w, part[2])
      return view ? json(view) : refuse(404, 'no such plant')
    }
    if (part[1] === 'series')
      return json(this.series(part[2], Number(q.get('from')), Number(q.get('to')), Number(q.get('step'))))
    if (part[1] === 'attachments')
      return res.writeHead(200, { 'Content-Type': 'image/svg+xml' }).end(photo(Number(part[2].replace(/\D/g, ''))))
    return refuse(404, route)
  }

  series(code, from, to, step) {
    const m = this.world.metrics.find((x) => `${x.collector}${x.kind}01` === code)
    const buckets = []
    for (let start = from; m && start < to; start += step) {
      if (start > from + (to - from) * 0.55 && start < from + (to - from) * 0.62) continue // a gap
      const late = Math.max(0, (start - (to - (to - from) * 0.2)) / ((to - from) * 0.2))
      const value =
        m.signal === 'DI'
          ? Number(late > 0.6 && m.value)
          : m.value * (0.6 + 0.05 * Math.sin(start / 240_000) + 0.35 * late)
      buckets.push({ start, count: 10, min: value * 0.99, max: value * 1.01, sum: value * 10, last: value })
    }
    return { metric: code, unit: m?.unit ?? '', step, buckets }
  }

  /** Takes a check-in once, however often it is sent. */
  checkIn(req, json, sent) {
    const mishap = this.mishap
    this.mishap = undefined
    if (mishap === 'refused')
      return json({ title: 'Unprocessable Entity', status: 422, detail: 'the plan is no longer in use' }, 422)
    const records = this.world.cleaning.records
    if (!records.some((r) => r.id === sent.id)) records.unshift({ ...sent, received: Date.now() })
    this.changed('CleaningRecord', sent.id)
    if (mishap === 'lost') return req.socket.destroy()
    return json(records.find((r) => r.id === sent.id))
  }

  draw(sent) {
    const drawn = this.world.enterprises.slice(0, sent.count).map((e, i) => ({
      place: i + 1,
      enterprise: e.enterprise.code,
      enterprise_name: e.enterprise.name,
      region_name: e.region_name,
      inspectors: sent.inspectors.slice(0, sent.per_plant),
    }))
    return { seed: sent.seed || 'QX7K2M', pool: this.world.enterprises.length, pool_digest: 'ab'.repeat(32), drawn }
  }

  async change(req, json, refuse, part, login, q) {
    const w = this.world
    const raw = await body(req)
    if (part[1] === 'attachments')
      return json({ id: `photo-${++this.files}`, media_type: req.headers['content-type'], size: raw.length })
    const sent = part[3] === 'import' ? {} : JSON.parse(raw)
    const base = baseQuestion(w, part, sent, q)
    if (base) {
      if (base[2]) this.changed(base[2], base[3])
      return json(base[1], base[0])
    }
    if (part[1] === 'reports') return json(reportOf(w, sent.kind, sent.day, sent.region, login))
    const desk = PEOPLE[login].enterprise ? writeDesk(w, part, sent, login) : undefined
    if (desk) {
      if (desk[2]) this.changed(desk[2], desk[3])
      return json(desk[1], desk[0])
    }
    if (part[1] === 'search') return json(saveSearch(w, sent, login))
    const answer = opsQuestion(w, part, sent) ?? modelQuestion(w, part, sent)
    if (answer) return json(answer)
    const who = { actor: login, actor_name: PEOPLE[login].name, time: Date.now() }
    const STAGES = {
      acknowledge: 'acknowledged',
      dispose: 'disposed',
      feed_back: 'fed_back',
      close: 'closed',
      reject: 'disposed',
      false_alarm: 'false_alarm',
      accept: 'closed',
    }
    if (part[1] === 'spot-checks' && part[3] === 'actions') {
      const view = w.spotChecks.find((v) => v.spot_check.id === part[2])
      const check = view.spot_check
      check.stage = { find: check.stage, order: 'ordered', reject: 'ordered', close: 'closed' }[sent.action]
      if (sent.action === 'find') check.findings = [...(check.findings ?? []), { ...sent, time: Date.now() }]
      if (sent.action === 'order')
        Object.assign(check, { order: sent.text, ordered: Date.now(), rectify_due: sent.due })
      check.steps = [...(check.steps ?? []), { ...who, ...sent }]
      this.changed('SpotCheck', part[2])
      return json(view)
    }
    if (part[3] === 'actions') {
      const view =
        part[1] === 'alarms'
          ? w.alarms.find((v) => v.alarm.id === part[2])
          : w.warnings.find((v) => v.warning.id === part[2])
      const record = view?.alarm ?? view?.warning
      if (!record) return refuse(404, 'no such record')
      record.stage = STAGES[sent.action]
      record.steps = [...(record.steps ?? []), { ...who, ...sent }]
      if (sent.action === 'dispose') record.cause = sent.cause
      this.changed(part[1] === 'alarms' ? 'Alarm' : 'Warning', part[2])
      return json(view)
    }
    if (part[1] === 'cleaning') {
      return this.checkIn(req, json, sent)
    }
    if (part[3] === 'answer') {
      const view = w.spotChecks.find((v) => v.spot_check.id === part[2])
      view.answers.push({
        id: `an-${Date.now()}`,
        text: sent.text,
        attachments: sent.attachments,
        actor: login,
        time: Date.now(),
      })
      this.changed('SpotCheckAnswer', part[2])
      return json(view)
    }
    if (part[2] === 'draw') return json(this.draw(sent))
    const view = {
      spot_check: {
        id: `sc-${Date.now()}`,
        ...sent,
        issued: Date.now(),
        issuer: login,
        issuer_site: w.site.id,
        stage: 'issued',
      },
      enterprise_name: w.enterprises.find((e) => e.enterprise.code === sent.enterprise)?.enterprise.name,
      origin: w.site.id,
      answers: [],
    }
    w.spotChecks.unshift(view)
    this.changed('SpotCheck', view.spot_check.id)
    return json(view)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const ministry = new Site('ministry')
  const jiangsu = new Site('jiangsu')
  console.log('ministry, regulators  ', await ministry.listen('regulator', 8701), 'bu01')
  console.log('province, regulators  ', await jiangsu.listen('regulator', 8702), 'ji01')
  console.log('province, enterprises ', await jiangsu.listen('enterprise', 8703), 'm0001')
}
