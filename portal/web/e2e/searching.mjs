// F2.4 在线抽查: plants by all nine dimensions together, a search that is saved and recalled, its export, a draw of its plants with a seed.
import { by, logIn, open, settle, SHOTS } from './browser.mjs'

const SEED = 'QX7K2M'
const KEPT = '仅看较大风险'

/** The nine dimensions of F2.4, one after another; each says what it asks the site, all go into the address. */
const DIMENSIONS = [
  { what: '区域', choose: (page) => pick(page, 'region'), asks: /region=32\d{4}/ },
  { what: '行业', choose: (page) => pick(page, 'search-industry', 'machinery'), asks: /industry=machinery/ },
  { what: '涉粉人数', choose: (page) => pick(page, 'search-workers'), asks: /min_workers=\d+/ },
  { what: '粉尘种类', choose: (page) => pick(page, 'search-dust'), asks: /dust_category=\d/ },
  { what: '在线', choose: (page) => pick(page, 'search-online', 'true'), asks: /online=true/ },
  { what: '报警', choose: (page) => pick(page, 'search-alarm'), asks: /alarm=true/ },
  { what: '预警', choose: (page) => pick(page, 'search-warning'), asks: /warning=true/ },
  { what: '风险等级', choose: (page) => page.click(by('level-red')), asks: /level=red/ },
  { what: '企业名称', choose: (page) => page.fill(by('plant-search'), '苏州'), asks: /q=/ },
]

/** Takes a value of a list, the first that narrows where none is named. */
async function pick(page, name, value) {
  const select = page.locator(name === 'region' ? `${by('search-bar')} select >> nth=0` : by(name))
  const values = await select.locator('option').evaluateAll((all) => all.map((o) => o.value))
  await select.selectOption(value ?? values.find(Boolean))
}

const rows = (page) => page.locator(by('plant-row')).count()
const asked = (page) => new URL(page.url()).search

/** Each dimension alone and then all together. */
async function narrow(page, base, complaints) {
  const whole = await rows(page)
  const together = new Set()
  for (const { what, choose, asks } of DIMENSIONS) {
    const sent = page.waitForRequest((r) => r.url().includes('/enterprises?') && asks.test(r.url()))
    await choose(page)
    await sent
    await settle(page)
    if (!asks.test(asked(page))) complaints.push(`search by ${what}: the address does not say so: ${asked(page)}`)
    for (const part of asked(page).slice(1).split('&')) together.add(part.split('=')[0])
  }
  if (DIMENSIONS.some(({ asks }) => !asks.test(asked(page)))) complaints.push(`not all nine: ${asked(page)}`)
  if ((await rows(page)) >= whole) complaints.push('nine dimensions find no fewer plants than none')
  await page.screenshot({ path: `${SHOTS}regulator-search-nine-desk.png`, fullPage: true })
  await page.click(by('search-clear'))
  await settle(page)
  if ((await rows(page)) !== whole) complaints.push('a search that was cleared does not find all plants')
}

/** A search is saved, recalled from its chip, and what it finds goes into a workbook. */
async function keepAndRecall(page, complaints) {
  await page.click(by('level-orange'))
  await settle(page)
  const found = await rows(page)
  await page.click(by('save-search'))
  await page.fill(by('search-name'), KEPT)
  await page.click(by('search-save'))
  await page.locator(by('saved-search'), { hasText: KEPT }).waitFor()
  await page.keyboard.press('Escape')
  await settle(page)
  await page.click(by('search-clear'))
  await settle(page)
  await page.locator(by('saved-search'), { hasText: KEPT }).click()
  await page.waitForURL(/level=orange/)
  await settle(page)
  if ((await rows(page)) !== found) complaints.push('a saved search finds something else when it is recalled')
  const file = page.waitForEvent('download')
  const [sent] = await Promise.all([
    page.waitForRequest((r) => r.url().includes('/search/export')),
    page.click(by('search-export')),
  ])
  if (!sent.url().includes('level=orange')) complaints.push(`the export is of something else: ${sent.url()}`)
  if (!(await file).suggestedFilename().endsWith('.xlsx')) complaints.push('a search is not exported as a workbook')
}

/** Plants are drawn from what was found; the seed that is given is the one that is kept. */
async function draw(page, complaints) {
  await page.click(by('search-draw'))
  await page.fill(by('draw-title'), '较大风险企业双随机抽查')
  await page.fill(by('draw-people'), '张三、李四、王五')
  await page.fill(by('draw-seed'), SEED)
  const [sent] = await Promise.all([
    page.waitForRequest((r) => r.url().endsWith('/spot-checks/draw')),
    page.click(by('draw-preview')),
  ])
  const body = sent.postDataJSON()
  if (body.seed !== SEED || body.criteria?.level !== 'orange')
    complaints.push(`the draw is of something else: ${JSON.stringify(body)}`)
  await page.locator(by('draw-result'), { hasText: SEED }).waitFor()
  await settle(page)
  await page.screenshot({ path: `${SHOTS}regulator-search-draw-desk.png` })
}

export async function searching(browser, site, complaints) {
  const base = await site.listen('regulator')
  const page = await open(browser, 'desk', complaints)
  await logIn(page, base, 'ji01', 'fixture')
  await page.goto(`${base}/enterprises`)
  await settle(page)
  await narrow(page, base, complaints)
  await keepAndRecall(page, complaints)
  await draw(page, complaints)
  await page.context().close()
}
