// What the browser tests share: Debian's Chromium, the two sizes, and a watch for whatever a page says on its console.
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { deflateSync, crc32 } from 'node:zlib'
import { chromium } from 'playwright-core'
import { violations } from './axe.mjs'

export const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } }
/** The sizes that pages are promised to fit (a small desk, a wall, a phone), beside those that scenarios are walked in. */
export const VIEWPORTS = { ...SIZES, laptop: { width: 1366, height: 768 }, wall: { width: 1920, height: 1080 } }
export const SHOTS = fileURLToPath(new URL('../../../artifacts/screenshots/', import.meta.url))

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  if (!existsSync(executablePath)) throw new Error(`no ${executablePath}: apt-get install chromium, or set CHROMIUM`)
  await mkdir(SHOTS, { recursive: true })
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A page of a size; complaints collects what goes wrong in it. */
export async function open(browser, size, complaints, { english = false, ...options } = {}) {
  const phone = size === 'phone'
  const context = await browser.newContext({
    viewport: VIEWPORTS[size],
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    deviceScaleFactor: phone ? 2 : 1,
    isMobile: phone,
    hasTouch: phone,
    ...options,
  })
  if (english) await context.addInitScript(() => localStorage.setItem('dusthub.locale', 'en'))
  const page = await context.newPage()
  watchRequests(page)
  page.setDefaultTimeout(60_000) // a machine that runs all tests is a busy one
  const complain = (text) => complaints.push(`${size} ${new URL(page.url()).pathname}: ${text}`)
  page.on('console', (m) => {
    // A session that is not there yet answers 401, a photo that has not arrived 404, a record somebody else changed 409: all are
    // said in the page.
    if (m.type() === 'error' && !/status of (401|403|404|409)/.test(m.text())) complain(m.text())
  })
  page.on('pageerror', (e) => complain(e.message))
  await page.exposeFunction('cspViolated', (what) => complain(`the content security policy stopped ${what}`))
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', (e) =>
      window.cspViolated(`${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`),
    ),
  )
  return page
}

export const by = (name) => `[data-test="${name}"]`

export async function logIn(page, base, login, password) {
  await page.goto(`${base}/login`)
  await page.fill(by('login-name'), login)
  await page.fill(by('login-password'), password)
  await page.click(by('login-submit'))
  await page.waitForURL((url) => url.pathname !== '/login')
}

const waiting = new WeakMap() // requests of a page that have no answer yet

/** Counts what a page waits for; its live stream never ends, and what the page before asked for is nobody's any more. */
function watchRequests(page) {
  const busy = new Set()
  let leaving = false
  waiting.set(page, busy)
  page.on('request', (r) => {
    if (r.isNavigationRequest() && r.frame() === page.mainFrame()) leaving = true
    else if (r.resourceType() !== 'eventsource') busy.add(r)
  })
  page.on('framenavigated', (frame) => {
    if (frame !== page.mainFrame() || !leaving) return
    leaving = false
    busy.clear()
  })
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (r) => busy.delete(r))
}

const CALM = 3 // looks one after another in which nothing happened
const PATIENCE = 90_000 // as long as a machine that runs all tests may need

/** What a page is still about, if anything: it reads, or something moves to its place. */
const unrest = (page) =>
  page.evaluate(async () => {
    await new Promise((done) => setTimeout(done, 25))
    if (document.querySelector('[data-test="state-loading"], .boot')) return 'it says that it reads'
    if (!document.querySelector('#app')?.textContent?.trim()) return 'it is empty'
    const moving = document
      .getAnimations()
      .find((a) => a.playState === 'running' && a.effect?.getComputedTiming().endTime !== Infinity)
    return moving && `something moves: ${moving.effect.target?.outerHTML.slice(0, 80)}`
  })

/** Waits until what is to be read has been read, and what moves to its place is there. */
export async function settle(page) {
  const until = Date.now() + PATIENCE
  for (let calm = 0; calm < CALM;) {
    const [asked] = waiting.get(page) ?? []
    const why = (await unrest(page)) ?? (asked && `it waits for ${asked.url()}`)
    calm = why ? 0 : calm + 1
    if (Date.now() > until) throw new Error(`${page.url()} does not come to rest: ${why}`)
  }
}

/** Brings every chart into sight once, which is when it is drawn, and goes back to the top. */
export async function drawCharts(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    for (const chart of document.querySelectorAll('.chart:empty')) {
      chart.scrollIntoView()
      await frame()
    }
    window.scrollTo(0, 0)
  })
  await page.waitForFunction(() => ![...document.querySelectorAll('.chart:empty')].some((c) => c.clientHeight))
}

/** The whole page at once: the window is made as tall as the page, so that what is fixed to its foot stays there. */
export async function shoot(page, size, name) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ ...VIEWPORTS[size], height: Math.max(height, VIEWPORTS[size].height) })
  await drawCharts(page)
  await page.waitForTimeout(250)
  await page.screenshot({ path: `${SHOTS}${name}.png` })
  await page.setViewportSize(VIEWPORTS[size])
}

/** What a demanding eye would find, and who does not see: layout by rule, and what axe-core calls serious. */
export async function inspect(page, phone) {
  return [...(await layout(page, phone)), ...(await violations(page))]
}

/** Anything wider than the screen, and on a phone anything too small to touch. */
export function layout(page, phone) {
  return page.evaluate((isPhone) => {
    const out = []
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
    if (wide > 1) out.push(`the page is ${wide}px wider than the screen`)
    for (const img of document.images) if (img.complete && !img.naturalWidth) out.push(`a broken picture: ${img.src}`)
    const named = (e) =>
      e.getAttribute('aria-label') ||
      e.textContent?.trim() ||
      e.getAttribute('placeholder') ||
      (e.id && document.querySelector(`label[for="${e.id}"]`)?.textContent) ||
      e.closest('label')?.textContent?.trim()
    for (const e of document.querySelectorAll('button, input:not(.sr), select, textarea'))
      if (!named(e)) out.push(`no name: ${e.outerHTML.slice(0, 120)}`)
    // What is touched for it: a control within its label, a link in a row that opens the same. A link within a sentence has the
    // sentence's height (WCAG 2.2 2.5.8).
    const touched = (e) => e.closest('label, tr.link, li.link, .el-select') ?? e
    const inSentence = (e) =>
      e.matches('a, .linkish') &&
      getComputedStyle(e).display.startsWith('inline') &&
      [...e.parentElement.childNodes].some((n) => n !== e && n.textContent.trim())
    if (isPhone)
      for (const e of document.querySelectorAll('a[href], button, input:not(.sr), select, textarea, summary')) {
        if (!e.checkVisibility({ visibilityProperty: true }) || e.matches('.skip') || inSentence(e)) continue
        const { width, height } = touched(e).getBoundingClientRect()
        if (width && height && Math.min(width, height) < 43.5)
          out.push(
            `too small to touch (${Math.round(width)} x ${Math.round(height)}): ${e.textContent?.trim().slice(0, 40) || e.outerHTML.slice(0, 80)}`,
          )
      }
    return out
  }, phone)
}

/** A small picture of its own each time, as a camera makes: the site keeps files by their content. */
export function picture() {
  const size = 64
  const rows = Buffer.alloc(size * (size * 3 + 1))
  for (let i = 0; i < rows.length; i++) rows[i] = i % (size * 3 + 1) === 0 ? 0 : (i * 7 + Math.random() * 60) & 255
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const head = Buffer.alloc(4)
    const tail = Buffer.alloc(4)
    head.writeUInt32BE(data.length)
    tail.writeUInt32BE(crc32(body))
    return Buffer.concat([head, body, tail])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(size, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

export const photoFile = () => ({ name: 'site.png', mimeType: 'image/png', buffer: picture() })

export const readJson = async (file) => JSON.parse(await readFile(file, 'utf8'))
