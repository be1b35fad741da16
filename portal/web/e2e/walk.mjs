// Walks the loop on a running demonstration, on the portals that people use, and takes pictures of every page.
//
// DUSTHUB_DEMO names a JSON file that tells where the demonstration is; without it the demonstration is started on free ports and
// ended afterwards. The file is what `dusthub demo --announce` writes: {"password", "sites": [{"id", "regulator", "enterprise", "login", "plants"}]}.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { keep, record } from './clauses.mjs'
import { by, inspect, launch, logIn, open, photoFile, readJson, settle, shoot } from './browser.mjs'

const BINARY = process.env.DUSTHUB ?? fileURLToPath(new URL('../../../bin/dusthub', import.meta.url))
const START_MS = 90_000
const STOP_MS = 15_000
const ALARM_MS = 120_000 // incidents recur; a minute or two until one that is fresh
const RETURN_MS = 150_000
const TRIES = 4
const complaints = []
const seen = []
const done = (what, ...clauses) => {
  seen.push(what)
  record(`on the demonstration, ${what}`, clauses, true)
  console.log('seen:', what)
}

/** Says how the logs of a demonstration end that is about to be removed. */
async function tellLogs(dir) {
  for (const name of await readdir(dir).catch(() => [])) {
    const text = await readFile(path.join(dir, name), 'utf8')
    if (text) console.error(`${name}: ${text.trimEnd().split('\n').slice(-3).join('\n  ')}`)
  }
}

/** The demonstration: where it is, and how to end it if it was started here. */
async function demonstration() {
  if (process.env.DUSTHUB_DEMO) return { demo: await readJson(process.env.DUSTHUB_DEMO), end: async () => undefined }
  const dir = await mkdtemp(path.join(tmpdir(), 'dusthub-walk-'))
  const announce = path.join(dir, 'announce.json')
  const child = spawn(BINARY, ['demo', '--free-ports', '--dir', path.join(dir, 'data'), '--announce', announce], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  let ended = false
  const gone = new Promise((resolve) => {
    child.once('error', (e) => {
      complaints.push(`the demonstration did not start: ${e.message}`)
      ended = true
      resolve()
    })
    child.once('exit', () => {
      ended = true
      resolve()
    })
  })
  const end = async () => {
    if (!ended) child.kill('SIGINT')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(timer)
    await rm(dir, { recursive: true, force: true })
  }
  const until = Date.now() + START_MS
  while (!existsSync(announce)) {
    if (ended || Date.now() > until) {
      await tellLogs(path.join(dir, 'data', 'log'))
      await end()
      throw new Error('the demonstration did not say where it is')
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return { demo: await readJson(announce), end }
}

const site = (demo, id) => demo.sites.find((s) => s.id === id)
const managerOf = (at, code) => at.plants?.find((p) => p.code === code)?.manager ?? `m${code.slice(8)}`

/** An alarm that appears on the regulator's open list by itself and waits to be acknowledged. */
async function freshAlarm(duty, known) {
  const row = await duty.waitForFunction(
    (old) => {
      const rows = [
        ...document.querySelectorAll('[data-test="alarm-row"][data-stage="raised"][data-condition="active"]'),
      ]
      const found = rows.find((r) => !old.includes(r.dataset.id))
      return found && { id: found.dataset.id, enterprise: found.dataset.enterprise }
    },
    known,
    { timeout: ALARM_MS, polling: 200 },
  )
  return row.jsonValue()
}

/** The plant acknowledges, disposes and feeds back with a photo. False when somebody else was quicker. */
async function disposeOf(plant, base, id) {
  await plant.goto(`${base}/alarms/${encodeURIComponent(id)}`)
  await plant.click(by('alarm-acknowledge'), { timeout: 8000 })
  await plant.waitForSelector(`${by('alarm-page')}[data-stage="acknowledged"]`)
  await plant.click(by('alarm-dispose'))
  await plant.click(by('cause-01'))
  await plant.fill(by('action-text'), '已派人到现场停机检查并复位')
  await plant.click(by('alarm-dispose-submit'))
  await plant.waitForSelector(`${by('alarm-page')}[data-stage="disposed"]`)
  await plant.click(by('alarm-feedback'))
  await plant.fill(by('action-text'), '处置完成，数值恢复正常')
  await plant.setInputFiles(by('photo-input'), photoFile())
  await plant.waitForSelector(`${by('photo-shot')}[data-sent="true"]`)
  await plant.click(by('alarm-feedback-submit'))
  await plant.waitForSelector(`${by('alarm-page')}[data-stage="fed_back"]`)
}

async function closeIt(duty, base, id) {
  await duty.goto(`${base}/alarms/${encodeURIComponent(id)}`)
  await duty.waitForSelector(`${by('alarm-page')}[data-condition="returned"]`, { timeout: RETURN_MS })
  await duty.click(by('alarm-close'), { timeout: 8000 })
  await duty.fill(by('action-text'), '核实无误，予以核销')
  await duty.click(by('action-submit'))
  await duty.waitForSelector(`${by('alarm-page')}[data-stage="closed"]`)
}

/** One alarm from its appearing to its closing. The demonstration's own people work too: where they were quicker, the next one. */
async function alarmLoop(browser, province, password) {
  const duty = await open(browser, 'desk', complaints)
  await logIn(duty, province.regulator, province.login, password)
  const known = []
  let last
  for (let i = 0; i < TRIES; i++) {
    await duty.goto(`${province.regulator}/alarms?stage=open`)
    await settle(duty)
    const here = await duty.$$eval('[data-test="alarm-row"]', (rows) => rows.map((r) => r.dataset.id))
    const alarm = await freshAlarm(duty, [...known, ...here])
    known.push(alarm.id)
    done('an alarm came to the regulator without a reload', 'F1.1', 'F2.2')
    const plant = await open(browser, 'phone', complaints)
    try {
      await logIn(plant, province.enterprise, managerOf(province, alarm.enterprise), password)
      await disposeOf(plant, province.enterprise, alarm.id)
      done('the plant acknowledged, disposed and fed back with a photo', 'F3.3', 'F3.7')
      await closeIt(duty, province.regulator, alarm.id)
      await plant.waitForSelector(`${by('alarm-page')}[data-stage="closed"]`)
      done('the regulator closed it, and the plant saw that', 'F2.2', 'F3.3')
      return { duty, plant, alarm }
    } catch (e) {
      last = e
      console.log(`alarm ${alarm.id}: ${e.message.split('\n')[0]}; the next one`)
      await plant.context().close()
    }
  }
  throw last
}

/** A warning in the hands of a plant: disposed and fed back. */
async function warningLoop(browser, province, password) {
  const duty = await open(browser, 'desk', complaints)
  await logIn(duty, province.regulator, province.login, password)
  const known = []
  let last
  for (let i = 0; i < TRIES; i++) {
    await duty.goto(`${province.regulator}/warnings`)
    const handle = await duty.waitForFunction(
      (old) => {
        const found = [...document.querySelectorAll('[data-test="warning-row"][data-stage="raised"]')].find(
          (r) => !old.includes(r.dataset.id),
        )
        return found && { id: found.dataset.id, enterprise: found.dataset.enterprise }
      },
      known,
      { timeout: ALARM_MS * 2, polling: 200 },
    )
    const warning = await handle.jsonValue()
    known.push(warning.id)
    const plant = await open(browser, 'phone', complaints)
    try {
      await logIn(plant, province.enterprise, managerOf(province, warning.enterprise), password)
      await plant.goto(`${province.enterprise}/warnings/${encodeURIComponent(warning.id)}`)
      await plant.waitForSelector(by('composition'))
      await plant.click(by('warning-dispose'), { timeout: 8000 })
      await plant.fill(by('action-text'), '已组织停产排查并消除风险因素')
      await plant.click(by('warning-dispose-submit'))
      await plant.waitForSelector(`${by('warning-page')}[data-stage="disposed"]`)
      await plant.click(by('warning-feedback'))
      await plant.fill(by('action-text'), '风险因素已消除，请予复核')
      await plant.click(by('warning-feedback-submit'))
      await plant.waitForSelector(
        `${by('warning-page')}[data-stage="fed_back"], ${by('warning-page')}[data-stage="closed"]`,
      )
      done('a warning was disposed of and fed back', 'F1.2', 'F3.4')
      await plant.context().close()
      return warning
    } catch (e) {
      last = e
      console.log(`warning ${warning.id}: ${e.message.split('\n')[0]}; the next one`)
      await plant.context().close()
    }
  }
  throw last
}

/** The ministry asks a plant; the plant answers on its phone; the ministry reads it. */
async function spotCheckLoop(browser, demo, province, enterprise, password) {
  const ministry = site(demo, 'ministry')
  const duty = await open(browser, 'desk', complaints)
  await logIn(duty, ministry.regulator, ministry.login, password)
  await duty.goto(`${ministry.regulator}/enterprises/${enterprise}`)
  await duty.click(by('spot-check-new'))
  const title = `卸灰记录抽查 ${Date.now() % 100_000}`
  await duty.fill(by('spot-check-title'), title)
  await duty.fill(by('spot-check-text'), '请反馈本班卸灰记录')
  const plant = await open(browser, 'phone', complaints)
  await logIn(plant, province.enterprise, managerOf(province, enterprise), password)
  await plant.goto(`${province.enterprise}/spot-checks`)
  await settle(plant)
  await duty.click(by('spot-check-submit'))
  const row = plant.locator(by('spot-check-row'), { hasText: title })
  await row.waitFor({ timeout: 30_000 })
  done('a spot check of the ministry came to the plant without a reload', 'F2.4')
  await row.locator(by('spot-check-answer')).click()
  await plant.fill(by('action-text'), '本班已卸灰两次，记录齐全')
  await plant.setInputFiles(by('photo-input'), photoFile())
  await plant.waitForSelector(`${by('photo-shot')}[data-sent="true"]`)
  await plant.click(by('spot-check-answer-submit'))
  await duty.goto(`${ministry.regulator}/spot-checks`)
  await duty
    .locator(by('spot-check-row'), { hasText: title })
    .locator(by('spot-check-answer-text'))
    .waitFor({ timeout: 30_000 })
  done("the plant's answer came to the ministry without a reload", 'F2.4')
  await duty.context().close()
  return plant
}

async function cleaningLoop(plant, base) {
  await plant.goto(`${base}/cleaning`)
  await plant.locator(by('cleaning-checkin')).first().click()
  await plant.setInputFiles(by('photo-input'), photoFile())
  await plant.waitForSelector(`${by('photo-shot')}[data-sent="true"]`)
  await plant.fill(by('cleaning-note'), '现场已清净')
  await plant.click(by('cleaning-submit'))
  await plant.locator(by('cleaning-record'), { hasText: '现场已清净' }).first().waitFor()
  done('a cleaning was checked in with a photo', 'F3.5', 'F3.7')
  await plant.context().close()
}

/** Pictures of every page of a portal, in both sizes, with what can be checked by rule. */
async function pictures(browser, prefix, base, login, password, pages) {
  for (const size of ['desk', 'phone']) {
    const page = await open(browser, size, complaints)
    await page.goto(`${base}/login`)
    await settle(page)
    await shoot(page, size, `demo-${prefix}-login-${size}`)
    await logIn(page, base, login, password)
    for (const [name, to] of Object.entries(pages)) {
      await page.goto(base + to)
      await settle(page)
      await shoot(page, size, `demo-${prefix}-${name}-${size}`)
      for (const problem of await inspect(page, size === 'phone'))
        complaints.push(`${prefix} ${to} (${size}): ${problem}`)
    }
    await page.context().close()
  }
}

const { demo, end } = await demonstration()
const browser = await launch()
try {
  const { password } = demo
  const ministry = site(demo, 'ministry')
  const province = site(demo, 'jiangsu') ?? demo.sites.find((s) => s.id !== 'ministry')
  const [{ plant, alarm }, warning] = await Promise.all([
    alarmLoop(browser, province, password),
    warningLoop(browser, province, password),
  ])
  await plant.context().close()
  await cleaningLoop(await spotCheckLoop(browser, demo, province, alarm.enterprise, password), province.enterprise)
  const alarmPath = `/alarms/${encodeURIComponent(alarm.id)}`
  const warningPath = `/warnings/${encodeURIComponent(warning.id)}`
  const regulator = {
    overview: '/',
    alarms: '/alarms',
    alarm: alarmPath,
    enterprises: '/enterprises',
    plant: `/enterprises/${alarm.enterprise}`,
    warnings: '/warnings',
    warning: warningPath,
    'spot-checks': '/spot-checks',
    federation: '/federation',
  }
  await pictures(browser, 'ministry', ministry.regulator, ministry.login, password, regulator)
  await pictures(browser, 'province', province.regulator, province.login, password, {
    overview: '/',
    federation: '/federation',
  })
  await pictures(browser, 'enterprise', province.enterprise, managerOf(province, alarm.enterprise), password, {
    live: '/',
    alarms: '/alarms',
    alarm: alarmPath,
    warnings: '/warnings',
    risk: '/risk',
    cleaning: '/cleaning',
    'spot-checks': '/spot-checks',
  })
} catch (e) {
  complaints.push(e.stack)
} finally {
  await browser.close()
  await end()
}
for (const c of [...new Set(complaints)]) console.error('-', c)
console.log(
  complaints.length
    ? `walk: something is wrong; seen: ${seen.join('; ')}`
    : `walk: the whole loop was seen: ${seen.join('; ')}`,
)
record('on the demonstration, the whole loop and every page of it', [], !complaints.length)
await keep('walk')
process.exitCode = complaints.length ? 1 : 0
