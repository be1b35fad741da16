// Every page of both portals on the fixture's world in every look that somebody has of it (matrix.mjs): pictures, and a check of what can
// be checked by rule (console, width, names, touch sizes, axe-core, keyboard, texts). Also walks the loop once against the fixture, so that a broken page is found without a site.
import { by, inspect, launch, logIn, open, photoFile, settle, shoot, SHOTS, SIZES, VIEWPORTS } from './browser.mjs'
import { keep } from './clauses.mjs'
import { Site } from './fixture.mjs'
import { harm } from './hostile.mjs'
import { everyPage } from './matrix.mjs'

const PLANT = '320505030001'
const REGULATOR = {
  overview: '/',
  alarms: '/alarms',
  alarm: '/alarms/jiangsu-a-000119',
  'alarm-escalated': '/alarms/jiangsu-a-000131',
  'alarms-shelved': '/alarms?stage=shelved',
  shelves: '/shelves',
  hazards: '/hazards',
  rules: '/rules',
  statistics: '/statistics',
  models: '/models',
  model: '/models/DUST-RISK-1.0',
  'model-edit': '/models/edit',
  replay: `/replay?enterprise=${PLANT}`,
  'replay-pick': '/replay',
  'model-lab': `/models/lab?enterprise=${PLANT}`,
  'model-back-test': '/models/lab?tab=back-test',
  'model-usage': '/models/lab?tab=usage',
  notify: '/notify',
  enterprises: '/enterprises',
  plant: `/enterprises/${PLANT}`,
  base: '/base', // F2.1
  'base-narrowed': '/base?region=320500&industry=machinery', // F2.1
  'base-file': `/base/${PLANT}`, // F2.1 一企一档
  'base-import': '/base/import', // F2.1
  'base-config': `/base/${PLANT}/config`, // F3.6
  'base-config-metric': `/base/${PLANT}/config?type=Metric&key=${PLANT}C002P0101`, // F3.6
  'base-config-new': `/base/${PLANT}/config?type=Collector&key=new`, // F3.6
  tables: '/tables?table=cleaning_method', // A1.6
  'limit-admin': '/limits', // F1.1
  warnings: '/warnings',
  warning: '/warnings/jiangsu-w-000021',
  'spot-checks': '/spot-checks',
  analysis: '/analysis', // F2.5
  reports: '/reports', // F2.5
  'analysis-findings': '/analysis/findings/collector_required', // F2.5
  'analysis-issues': '/analysis/issues/gaps', // F2.5
  federation: '/federation',
  denied: '/enterprises/forbidden',
}
// F2.3 on a wall screen, from the country down to a county
const WALL = {
  screen: '/screen',
  'screen-province': '/screen?region=320000',
  'screen-city': '/screen?region=320500',
  'screen-county': '/screen?region=320505',
}
const ENTERPRISE = {
  live: '/',
  alarms: '/alarms',
  alarm: '/alarms/jiangsu-a-000131',
  warnings: '/warnings',
  warning: '/warnings/jiangsu-w-000021',
  risk: '/risk',
  cleaning: '/cleaning',
  'spot-checks': '/spot-checks',
  shelves: '/shelves',
  'shelf-form': `/shelves?collector=${PLANT}C002`,
  config: '/config', // F3.6
  'config-list': '/config?type=Collector', // F3.6
  'config-record': `/config?type=Collector&key=${PLANT}C002`, // F3.6
  limits: '/limits',
  limit: `/limits/${PLANT}C002T0101`,
  rules: '/rules',
  hazards: '/hazards',
  notify: '/notify',
  replay: '/replay',
  video: '/video', // F3.2
}
const PROVINCE = { overview: '/', federation: '/federation' }
const only = process.argv[2] ?? ''
const HOSTILE = Boolean(process.env.HOSTILE) // npm run hostile
const complaints = []
const browser = await launch()
const ministry = new Site('ministry')
const jiangsu = new Site('jiangsu')

/** Every page in all its looks: both portals at once, as a machine has two cores. */
async function looks({ regulator, province, enterprise }) {
  const all = (of) => everyPage(browser, of, complaints, only)
  await Promise.all([all(regulator), all(enterprise).then(() => all(province))])
}

/** Every page, with something hostile behind every text of it. It looks as it must not look, and is not pictured. */
async function harmless({ portal, pages, base, login }) {
  for (const size of Object.keys(SIZES)) {
    const page = await open(browser, size, complaints)
    await logIn(page, base, login, 'fixture')
    for (const [name, path] of Object.entries(pages)) {
      if (only && !`${portal}-${name}`.includes(only)) continue
      await page.goto(base + path)
      await settle(page)
      complaints.push(...(await harm(page)).map((h) => `${portal} ${path} (${size}): ${h}`))
    }
    await page.context().close()
  }
}

async function walk(regulatorBase, enterpriseBase) {
  const duty = await open(browser, 'desk', complaints)
  const plant = await open(browser, 'phone', complaints)
  await logIn(duty, regulatorBase, 'ji01', 'fixture')
  await logIn(plant, enterpriseBase, 'm0001', 'fixture')
  await duty.goto(`${regulatorBase}/alarms`)
  await settle(duty)
  const id = jiangsu.raise()
  await duty.waitForSelector(`${by('alarm-row')}[data-id="${id}"][data-stage="raised"]`) // without a reload
  await plant.goto(`${enterpriseBase}/alarms/${id}`)
  await plant.click(by('alarm-acknowledge'))
  await duty.waitForSelector(`${by('alarm-row')}[data-id="${id}"][data-stage="acknowledged"]`)
  await plant.click(by('alarm-dispose'))
  await plant.click(by('cause-04'))
  await plant.fill(by('action-text'), '已停机清理灰斗')
  await plant.waitForTimeout(400)
  await plant.screenshot({ path: `${SHOTS}enterprise-dispose-phone.png` })
  await plant.click(by('alarm-dispose-submit'))
  await plant.click(by('alarm-feedback'))
  await plant.fill(by('action-text'), '温度恢复正常')
  await plant.setInputFiles(by('photo-input'), photoFile())
  await plant.waitForSelector(`${by('photo-shot')}[data-sent="true"]`)
  await plant.click(by('alarm-feedback-submit'))
  await duty.waitForSelector(`${by('alarm-row')}[data-id="${id}"][data-stage="fed_back"]`)
  Object.assign(jiangsu.world.alarms[0].alarm, { condition: 'returned', returned: Date.now() })
  jiangsu.changed('Alarm', id)
  await duty.goto(`${regulatorBase}/alarms/${id}`)
  await duty.click(by('alarm-close'))
  await duty.waitForTimeout(400)
  await duty.screenshot({ path: `${SHOTS}regulator-close-desk.png` })
  await duty.fill(by('action-text'), '核实无误，予以核销')
  await duty.click(by('action-submit'))
  await duty.waitForSelector(`${by('alarm-page')}[data-stage="closed"]`)
  await plant.waitForSelector(`${by('alarm-page')}[data-stage="closed"]`)

  await plant.goto(`${enterpriseBase}/cleaning`)
  await plant.click(by('cleaning-checkin'))
  await plant.setInputFiles(by('photo-input'), photoFile())
  await plant.waitForSelector(`${by('photo-shot')}[data-sent="true"]`)
  await plant.waitForTimeout(400)
  await plant.screenshot({ path: `${SHOTS}enterprise-checkin-phone.png` })
  const before = await plant.locator(by('cleaning-record')).count()
  await plant.click(by('cleaning-submit'))
  await plant.waitForFunction((n) => document.querySelectorAll('[data-test="cleaning-record"]').length > n, before)

  await duty.goto(`${regulatorBase}/enterprises/${PLANT}`)
  await duty.click(by('spot-check-new'))
  await duty.fill(by('spot-check-title'), '卸灰记录抽查')
  await duty.waitForTimeout(400)
  await duty.screenshot({ path: `${SHOTS}regulator-new-spot-check-desk.png` })
  await plant.goto(`${enterpriseBase}/spot-checks`)
  await settle(plant)
  await duty.click(by('spot-check-submit'))
  await plant.waitForSelector('text=卸灰记录抽查') // without a reload
  await plant.locator(by('spot-check-row'), { hasText: '卸灰记录抽查' }).locator(by('spot-check-answer')).click()
  await plant.fill(by('action-text'), '已反馈卸灰记录')
  await plant.click(by('spot-check-answer-submit'))
  await duty.goto(`${regulatorBase}/spot-checks`)
  await duty.waitForSelector('text=已反馈卸灰记录')
  const check = duty.locator(by('spot-check-row'), { hasText: '卸灰记录抽查' })
  await check.locator(by('spot-check-find')).click()
  await duty.fill(by('action-text'), '卸灰记录缺三日')
  await duty.fill(by('step-clause'), 'GB 15577-2018 9.1')
  await duty.waitForTimeout(400)
  await duty.screenshot({ path: `${SHOTS}regulator-finding-desk.png` })
  await duty.click(by('action-submit'))
  await check.locator(by('spot-check-order')).click()
  await duty.fill(by('action-text'), '七日内补齐')
  await duty.click(by('action-submit'))
  await plant.locator(by('spot-check-row'), { hasText: '七日内补齐' }).locator(by('spot-check-answer')).waitFor() // without a reload
  await plant.screenshot({ path: `${SHOTS}enterprise-rectify-phone.png` })
  await duty.goto(`${regulatorBase}/reports`) // F2.5
  await duty.click(by('report-new'))
  await duty.selectOption(by('report-kind'), 'weekly')
  await duty.fill(by('report-day'), '2026-01-07')
  await duty.waitForTimeout(400)
  await duty.screenshot({ path: `${SHOTS}regulator-new-report-desk.png` })
  await duty.click(by('report-submit'))
  await duty.waitForSelector(`${by('report-made')} >> text=2026-01-05 – 2026-01-11`)
  const saved = duty.waitForEvent('download')
  await duty.locator(by('report-pdf')).first().click()
  if (!(await saved).suggestedFilename().endsWith('.pdf')) complaints.push('a report is not saved as PDF')
  await duty.goto(`${regulatorBase}/spot-checks`)
  await duty.click(by('spot-check-draw'))
  await duty.fill(by('draw-title'), '除尘系统双随机抽查')
  await duty.fill(by('draw-people'), '张三、李四、王五')
  await duty.click(by('draw-preview'))
  await duty.waitForSelector(by('draw-result'))
  await duty.waitForTimeout(400)
  await duty.screenshot({ path: `${SHOTS}regulator-draw-desk.png` })
  await duty.keyboard.press('Escape')
  await duty.locator(by('mimic-T01')).count()
  await duty.goto(`${regulatorBase}/enterprises/${PLANT}`)
  await duty.locator(by('metric')).first().click()
  await duty.waitForSelector(`${by('metric-trend')} svg`)
  await duty.waitForTimeout(400)
  await duty.screenshot({ path: `${SHOTS}regulator-trend-desk.png` })
}

/** The wall screen at its size (F2.3): nothing scrolls, and it says how old it is. */
async function walls(base) {
  const page = await open(browser, 'desk', complaints)
  await page.setViewportSize(VIEWPORTS.wall)
  await logIn(page, base, 'bu01', 'fixture')
  for (const [name, path] of Object.entries(WALL)) {
    await page.goto(base + path)
    await settle(page)
    await page.waitForSelector(`${by('risk-map')} [data-area]`)
    await page.waitForSelector(by('wall-fresh'))
    const { wide, high } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      high: document.documentElement.scrollHeight,
    }))
    if (wide > 1920 || high > 1080) complaints.push(`${path}: the wall screen is ${wide} x ${high}`)
    for (const problem of await inspect(page, false)) complaints.push(`${path} (wall): ${problem}`)
    await page.screenshot({ path: `${SHOTS}wall-${name}.png` })
  }
  await page.context().close()
}

/** Goes down to a county and up again by keys alone (F2.3). */
async function drill(page, base, path) {
  const at = (region) => page.waitForSelector(`${by('risk-map')}[data-region="${region}"]`)
  await page.goto(base + path)
  await at('320000')
  await page.waitForSelector('[data-area="320500"]')
  if (path === '/') await page.locator('path[tabindex="0"]').focus()
  for (const region of ['320500', '320505']) {
    for (let i = 0; i < 8 && !(await page.locator(`${by('map-picked')}[data-picked="${region}"]`).count()); i++)
      await page.keyboard.press(i % 3 === 2 ? 'ArrowLeft' : i % 2 ? 'ArrowRight' : 'ArrowDown')
    if (!(await page.locator(`${by('map-picked')}[data-picked="${region}"]`).count()))
      await page.evaluate((r) => document.querySelector(`[data-area="${r}"]`).focus(), region)
    await page.keyboard.press('Enter')
    await at(region)
    await page.waitForSelector('[data-area="320505"]')
  }
  for (const region of ['320500', '320000']) {
    if (path === '/') await page.locator(by('region-up')).last().focus()
    await page.keyboard.press(path === '/' ? 'Enter' : 'Escape')
    await at(region)
  }
}

/** What the regulators' benches do when they are used. */
async function benches(base) {
  const desk = await open(browser, 'desk', complaints)
  const keep = async (name) => {
    await desk.waitForTimeout(400)
    await desk.screenshot({ path: `${SHOTS}regulator-${name}-desk.png`, fullPage: true })
  }
  await logIn(desk, base, 'ji01', 'fixture')
  await desk.goto(`${base}/replay?enterprise=${PLANT}`)
  await desk.waitForSelector(by('replay'))
  const before = await desk.textContent(by('replay-at'))
  await desk.locator(by('replay-event')).last().locator('button').click()
  if ((await desk.textContent(by('replay-at'))) === before) complaints.push('replay: the moment does not move')
  await desk.click(by('replay-judge'))
  await desk.waitForSelector(by('replay-difference'))
  await keep('replay-again')
  await drill(desk, base, '/')
  await drill(desk, base, '/screen')
  await desk.goto(`${base}/models/lab?enterprise=${PLANT}`)
  await desk.fill('#in-T01', '0')
  await desk.click(by('what-if-go'))
  await desk.waitForSelector(by('what-if-move'))
  await keep('what-if')
  await desk.goto(`${base}/models/lab?tab=back-test`)
  await desk.selectOption(by('back-test-version'), 'DUST-RISK-1.1')
  await desk.click(by('back-test-go'))
  await desk.waitForSelector(by('back-test-changed'))
  await keep('back-test')
  // A draft that is not published goes from the editor to the back-test with the page.
  await desk.goto(`${base}/models/edit`)
  await desk.click(by('model-back-test'))
  if (!(await desk.inputValue(by('back-test-draft')))) complaints.push('back-test: the draft did not come along')
  await keep('back-test-draft')
  const [asked] = await Promise.all([
    desk.waitForRequest((r) => r.url().endsWith('/model/back-test')),
    desk.click(by('back-test-go')),
  ])
  if (!asked.postDataJSON().document || asked.postDataJSON().version)
    complaints.push('back-test: the draft is not sent')
  await desk.waitForSelector(by('back-test-changed'))
  await desk.goto(`${base}/notify`)
  await desk.click(by('channel-new'))
  await desk.fill(by('channel-address'), 'duty@example.cn')
  await keep('channel-form')
  await desk.click(by('channel-submit'))
  await desk.waitForFunction(() => document.querySelectorAll('[data-test="channel-row"]').length === 3)
  await desk.locator(by('channel-remove')).last().click()
  await desk.locator(by('channel-remove')).last().click()
  await desk.waitForFunction(() => document.querySelectorAll('[data-test="channel-row"]').length === 2)
  await desk.context().close()
}

try {
  const ministryBase = await ministry.listen('regulator')
  const provinceBase = await jiangsu.listen('regulator')
  const enterpriseBase = await jiangsu.listen('enterprise')
  const portals = {
    regulator: { portal: 'regulator', pages: REGULATOR, base: ministryBase, login: 'bu01' },
    province: { portal: 'province', pages: PROVINCE, base: provinceBase, login: 'ji01' },
    enterprise: { portal: 'enterprise', pages: ENTERPRISE, base: enterpriseBase, login: 'm0001' },
  }
  if (HOSTILE) for (const of of Object.values(portals)) await harmless(of)
  else await looks(portals)
  if (!HOSTILE && (!only || only === 'wall')) await walls(ministryBase)
  if (!HOSTILE && (!only || only === 'benches')) await benches(provinceBase)
  if (!HOSTILE && !only) await walk(provinceBase, enterpriseBase)
} catch (e) {
  complaints.push(e.stack)
} finally {
  await browser.close()
  ministry.close()
  jiangsu.close()
}
for (const c of [...new Set(complaints)]) console.error('-', c)
console.log(complaints.length ? 'pages: something is wrong' : `pages: all looked at, pictures in ${SHOTS}`)
if (!only && !HOSTILE) await keep('screens')
process.exitCode = complaints.length ? 1 : 0
