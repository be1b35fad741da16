// F3.5 and F3.7 without a network: the plant's portal starts, says of when its data is, takes check-ins with photos and sends each once.
// Also what makes it an application: manifest, service worker, its new version; and what it must not do: keep answers of the API.
import { by, inspect, launch, logIn, open, photoFile, settle, shoot } from './browser.mjs'
import { keep, record } from './clauses.mjs'
import { Site } from './fixture.mjs'

const complaints = []
const wanted = (is, what) => is || complaints.push(what)
// Without a network every reading fails, and says so on the console.
const told = (c) => !/ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_EMPTY_RESPONSE|status of 422/.test(c)
const OUTBOX = by('outbox')

/** A phone whose service worker is in charge. The browser's background sync is left out: when it comes is for the browser to say. */
async function phone(browser, base) {
  const page = await open(browser, 'phone', complaints)
  await page.addInitScript(
    () =>
      typeof ServiceWorkerRegistration === 'function' &&
      Object.defineProperty(ServiceWorkerRegistration.prototype, 'sync', { value: undefined }),
  )
  await logIn(page, base, 'm0001', 'fixture')
  await page.goto(`${base}/cleaning`)
  await page.waitForFunction(() => navigator.serviceWorker.controller)
  await page.waitForSelector(by('cleaning-plan'))
  await settle(page)
  return page
}

const offline = async (page, is) => {
  await page.context().setOffline(is)
  await page.waitForSelector(by('offline'), { state: is ? 'attached' : 'detached' })
}

async function checkIn(page, note) {
  await page.locator(by('cleaning-checkin')).first().click()
  await page.setInputFiles(by('photo-input'), photoFile())
  await page.waitForSelector(`${by('photo-shot')}[data-sent="true"]`)
  await page.fill(by('cleaning-note'), note)
  await page.click(by('cleaning-submit'))
  await page.waitForSelector(by('cleaning-submit'), { state: 'hidden' })
}

const arrived = (site, note) => site.world.cleaning.records.filter((r) => r.note === note)
const waits = (page, n) => page.waitForSelector(`${OUTBOX}[data-count="${n}"]`)
const gone = (page) => page.waitForSelector(OUTBOX, { state: 'detached' })

/** Everything that the browser keeps of a portal: addresses in its caches, names in its stores. */
const keptBy = (page) =>
  page.evaluate(async () => {
    const urls = []
    for (const name of await caches.keys())
      for (const request of await (await caches.open(name)).keys()) urls.push(new URL(request.url).pathname)
    const db = await new Promise((resolve) => (indexedDB.open('dusthub').onsuccess = (e) => resolve(e.target.result)))
    const all = (store) =>
      new Promise(
        (resolve) =>
          (db.transaction(store).objectStore(store).getAllKeys().onsuccess = (e) => resolve(e.target.result)),
      )
    return { urls, kept: await all('kept'), outbox: await all('outbox') }
  })

const TESTS = {
  async 'F3.5 a check-in made off line outlives a reload and arrives once'(browser, site, base) {
    const page = await phone(browser, base)
    await offline(page, true)
    await checkIn(page, 'off line')
    await waits(page, 1)
    await shoot(page, 'phone', 'enterprise-offline-checkin-phone')
    await page.reload()
    await waits(page, 1)
    await page.waitForSelector(by('kept-at'))
    await page.waitForSelector(by('cleaning-plan'))
    await page.waitForSelector(by('offline'))
    await shoot(page, 'phone', 'enterprise-offline-reloaded-phone')
    for (const problem of await inspect(page, true)) complaints.push(`off line: ${problem}`)
    await checkIn(page, 'after the reload')
    await waits(page, 2)
    wanted(arrived(site, 'off line').length === 0, 'a check-in arrived without a network')
    site.mishap = 'lost' // the site takes the first, and its answer is lost on the way
    await offline(page, false)
    await page.click(by('outbox-send')).catch(() => undefined) // it may be gone by itself
    await gone(page)
    for (const note of ['off line', 'after the reload']) {
      const found = arrived(site, note)
      wanted(found.length === 1, `"${note}" arrived ${found.length} times`)
      wanted(found[0]?.photos.length === 1, `"${note}" came without its photo`)
      wanted(found[0]?.received >= found[0]?.time, `"${note}" was received before it was done`)
      wanted(found[0]?.clock_doubtful === false, `"${note}": the clock is doubted`)
    }
    await page.waitForSelector(`${by('cleaning-record')}:has-text("after the reload")`)
  },

  async 'F3.7 without a network nothing is shown as live'(browser, _site, base) {
    const page = await phone(browser, base)
    await page.goto(`${base}/`)
    await settle(page)
    await offline(page, true)
    wanted(/离线，数据截至 \d\d:\d\d/.test(await page.textContent(by('offline'))), 'it is not said of when the data is')
    await page.reload()
    await page.waitForSelector(by('state-error'))
    await page.waitForSelector(by('offline'))
    wanted((await page.locator(by('live-state')).getAttribute('class'))?.includes('off'), 'the bar says live')
    await shoot(page, 'phone', 'enterprise-offline-live-phone')
    for (const problem of await inspect(page, true)) complaints.push(`live, off line: ${problem}`)
    await offline(page, false)
    await page.waitForSelector(by('collector'))
  },

  async 'F3.5 a check-in that the site refuses is kept, with its reason, until the person decides'(
    browser,
    site,
    base,
  ) {
    const page = await phone(browser, base)
    site.mishap = 'refused'
    await checkIn(page, 'refused')
    await waits(page, 1)
    await page.waitForSelector(`${by('outbox-row')}:has-text("no longer in use")`)
    await shoot(page, 'phone', 'enterprise-refused-checkin-phone')
    await page.click(by('outbox-again'))
    await gone(page)
    wanted(arrived(site, 'refused').length === 1, 'it was not sent again')
    site.mishap = 'refused'
    await checkIn(page, 'discarded')
    await page.click(by('outbox-discard'))
    await waits(page, 1)
    await page.click(by('outbox-discard'))
    await gone(page)
    wanted(arrived(site, 'discarded').length === 0, 'what was deleted was sent')
  },

  async 'F3.5 with no page open the service worker sends what waits, when the browser says that the network is back'(
    browser,
    site,
    base,
  ) {
    const page = await phone(browser, base)
    await offline(page, true)
    await checkIn(page, 'by the worker')
    await waits(page, 1)
    await page.goto('about:blank')
    await page.context().setOffline(false)
    const [worker] = page.context().serviceWorkers()
    await worker.evaluate(
      () =>
        new Promise((resolve) => {
          const event = new SyncEvent('sync', { tag: 'dusthub-outbox' })
          event.waitUntil = (done) => resolve(done)
          self.dispatchEvent(event)
        }),
    )
    wanted(arrived(site, 'by the worker').length === 1, 'the worker did not send it once')
    await page.goto(`${base}/cleaning`)
    await page.waitForSelector(`${by('cleaning-record')}:has-text("by the worker")`)
    wanted((await page.locator(OUTBOX).count()) === 0, 'it still waits')
  },

  async 'F3.5 the time of doing is right on a phone whose clock is off, and a clock that was set is doubted'(
    browser,
    site,
    base,
  ) {
    const page = await phone(browser, base)
    const off = 3 * 3_600_000
    await page.clock.install({ time: Date.now() - off })
    await page.reload()
    await page.waitForSelector(by('cleaning-plan'))
    await checkIn(page, 'clock off')
    await page.waitForFunction(() => !document.querySelector('[data-test="outbox"]'))
    const [first] = arrived(site, 'clock off')
    wanted(Math.abs(first.time - Date.now()) < 120_000, `done ${(first.time - Date.now()) / 1000} s from now`)
    wanted(Math.abs(first.clock_offset_ms - off) < 120_000, `an offset of ${first.clock_offset_ms} ms`)
    await offline(page, true)
    await checkIn(page, 'clock set')
    await waits(page, 1)
    await page.clock.setSystemTime(Date.now()) // somebody sets the phone right before it is sent
    await offline(page, false)
    await page.click(by('outbox-send')).catch(() => undefined)
    await gone(page)
    wanted(arrived(site, 'clock set')[0]?.clock_doubtful === true, 'a clock that was set is not doubted')
  },

  async 'F3.5 the calendar shows what was done and missed'(browser, site, base) {
    const [plan] = site.world.cleaning.plans
    for (const ago of [3, 4, 6, 7, 8, 10])
      site.world.cleaning.records.push({
        id: `past-${ago}`,
        plan: plan.id,
        item: plan.item,
        person: plan.responsible,
        time: Date.now() - ago * 86_400_000,
        photos: ['photo-1'],
      })
    const page = await phone(browser, base)
    const lastMonth = new Date().getDate() < 12
    if (lastMonth) await page.locator(by('cleaning-calendar')).locator('button').first().click()
    await page.waitForSelector(`${by('cleaning-day')}[data-state="done"]`)
    const missed = page.locator(`${by('cleaning-day')}[data-state="missed"]`)
    wanted((await missed.count()) > 0, 'no day was missed')
    await missed.last().click()
    await page.waitForSelector(`text=${plan.item}`)
    await shoot(page, 'phone', 'enterprise-cleaning-calendar-phone')
  },

  async 'F3.7 logging out clears what was kept, and asks before it deletes what waits'(browser, site, base) {
    const page = await phone(browser, base)
    const before = await keptBy(page)
    wanted(!before.urls.some((u) => u.startsWith('/api/')), `answers of the API are cached: ${before.urls.join()}`)
    wanted(before.urls.includes('/enterprise.html'), 'the shell is not kept')
    wanted(before.kept.includes('session') && before.kept.includes('cleaning'), `kept: ${before.kept.join()}`)
    site.mishap = 'refused'
    await checkIn(page, 'left behind')
    await waits(page, 1)
    await page.click(by('account'))
    await page.click(by('logout'))
    await page.click('.van-dialog__cancel')
    await waits(page, 1)
    await page.click(by('logout'))
    await page.click('.van-dialog__confirm')
    await page.waitForURL(`${base}/login`)
    const after = await keptBy(page)
    wanted(
      !after.kept.length && !after.outbox.length,
      `kept after logging out: ${[...after.kept, ...after.outbox].join()}`,
    )
    await page.context().setOffline(true)
    await page.goto(`${base}/cleaning`)
    await page.waitForURL(/\/login/)
  },

  async 'F3.7 it can be installed, and a new version waits for the person'(browser, site, base) {
    const page = await phone(browser, base)
    const cdp = await page.context().newCDPSession(page)
    const { errors, data } = await cdp.send('Page.getAppManifest')
    wanted(data && !errors.length, `manifest: ${JSON.stringify(errors)}`)
    const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors')
    const real = installabilityErrors.filter((e) => e.errorId !== 'in-incognito')
    wanted(!real.length, `cannot be installed: ${JSON.stringify(real)}`)
    wanted((await page.locator(by('new-version')).count()) === 0, 'a new version is offered at once')
    site.workerNote = '\n// another version'
    await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update())
    await page.waitForSelector(by('new-version'))
    await shoot(page, 'phone', 'enterprise-new-version-phone')
    await Promise.all([page.waitForEvent('load'), page.click(`${by('new-version')} button`)])
    await page.waitForSelector(by('cleaning-plan'))
    wanted((await page.locator(by('new-version')).count()) === 0, 'the new version is offered again')
  },
}

const browser = await launch()
const only = process.argv[2] ?? ''
for (const [name, test] of Object.entries(TESTS)) {
  if (!name.includes(only)) continue
  const site = new Site('jiangsu')
  const before = complaints.length
  try {
    await test(browser, site, await site.listen('enterprise'))
  } catch (e) {
    complaints.push(`${name}: ${e.stack}`)
  } finally {
    for (const context of browser.contexts()) await context.close()
    site.close()
  }
  const ok = !complaints.slice(before).some(told)
  record(name, [], ok)
  console.log(ok ? 'ok  ' : 'FAIL', name)
}
await browser.close()
if (!only) await keep('offline')
const wrong = [...new Set(complaints)].filter(told)
for (const c of wrong) console.error('-', c)
console.log(wrong.length ? 'offline: something is wrong' : 'offline: all as it should be')
process.exitCode = wrong.length ? 1 : 0
