// Base data on the fixture's world, done as people do it (F2.1, F3.6, A1.6): a change with its effect before it is saved, two who edit one
// record, a version brought back, a workbook with bad rows and one without, a code table, limits tightened. Fails on what is not there.
import { readFile } from 'node:fs/promises'
import { by, launch, logIn, open, settle, SHOTS } from './browser.mjs'
import { keep, record } from './clauses.mjs'
import { Site } from './fixture.mjs'

const PLANT = '320505030001'
const WORKBOOK = { name: '企业.xlsx', mimeType: 'application/zip', buffer: Buffer.from('PK') }
const complaints = []
const browser = await launch()
const site = new Site('jiangsu')
const root = new Site('ministry')
const regulator = await site.listen('regulator')
const enterprise = await site.listen('enterprise')
const ministry = await root.listen('regulator')
const [first] = site.world.base

function expect(what, got, wanted) {
  if (got !== wanted) complaints.push(`${what}: ${got}, wanted ${wanted}`)
}

async function picture(page, name) {
  await page.waitForTimeout(300)
  await page.screenshot({ path: `${SHOTS}basedata-${name}.png` })
}

/** F3.6: the effect before saving; somebody else was quicker; mine is kept over theirs. */
async function edit(page) {
  await page.goto(`${regulator}/base/${PLANT}/config`)
  await settle(page)
  expect('save before any change', await page.isDisabled(by('record-save')), true)
  await page.fill(by('field-dust_workers'), '600')
  await page.waitForSelector(by('refused'))
  expect('save of what is refused', await page.isDisabled(by('record-save')), true)
  await page.fill(by('field-dust_workers'), '60')
  await page.waitForSelector(by('effect'))
  expect('index before', await page.textContent(by('index-before')), '64.2')
  await picture(page, 'effect')
  first.seq += 7
  first.record = { ...first.record, address: '苏州市虎丘区科技路 1 号', employees: 131 }
  await page.click(by('record-save'))
  await page.waitForSelector(by('conflict'))
  await picture(page, 'conflict')
  await page.click(by('conflict-mine'))
  await page.waitForSelector(by('effect'))
  await page.click(`${by('record-save')}:enabled`)
  await page.waitForSelector(by('base-said'))
  expect('mine', first.record.dust_workers, 60)
  expect('theirs', first.record.address, '苏州市虎丘区科技路 1 号')
  expect('a masked name', first.record.safety_head, '陈*全') // as it was read: the site keeps what it stands for
}

/** F3.6: who, when, what; an earlier version comes back. */
async function bringBack(page) {
  await page.click(by('record-history'))
  await page.waitForSelector(by('version'))
  await page.locator(by('restore')).first().click()
  await page.waitForSelector(`${by('version')} ${by('effect')}`)
  await picture(page, 'restore')
  await page.click(`${by('restore-confirm')}:enabled`)
  await page.waitForFunction(() => !document.querySelector('[data-test="restore-confirm"]'))
  expect('brought back', first.record.dust_workers, 28)
}

/** F2.1: rows that are refused keep all from being written, and are told in a file. */
async function importing(page) {
  await page.goto(`${regulator}/base/import`)
  await settle(page)
  await page.setInputFiles(by('io-file'), WORKBOOK)
  await page.waitForSelector(by('io-problems'))
  expect('import with refused rows', await page.isDisabled(by('io-import')), true)
  await picture(page, 'import')
  const [report] = await Promise.all([page.waitForEvent('download'), page.click(by('io-report'))])
  const text = await readFile(await report.path(), 'utf8')
  if (!/^\ufeff行,列,字段/.test(text) || !text.includes('7,N,涉粉作业人数'))
    complaints.push(`the error report: ${text}`)
  site.world.goodFile = true
  await page.setInputFiles(by('io-file'), WORKBOOK)
  await page.click(`${by('io-import')}:enabled`)
  await page.waitForSelector(by('io-done'))
}

async function narrowing(page) {
  await page.goto(`${regulator}/base`)
  await settle(page)
  const all = await page.textContent(by('base-count'))
  await page.click(`${by('facet-region')} [data-key="320500"]`)
  await page.waitForFunction((n) => document.querySelector('[data-test="base-count"]')?.textContent !== n, all)
  expect('the address', new URL(page.url()).searchParams.get('region'), '320500')
  await page.locator(by('base-row')).first().locator('a').click()
  await page.waitForSelector(by('plant-file'))
}

async function limits(page) {
  await page.goto(`${regulator}/limits`)
  await settle(page)
  await page.click(by('choose-all'))
  expect('tightening unseen', await page.isDisabled(by('tighten')), true)
  await page.click(by('tighten-preview'))
  await page.waitForSelector(by('tighten-effect'))
  await picture(page, 'limits')
  await page.click(`${by('tighten')}:enabled`)
  await page.waitForFunction(() => !document.querySelector('[data-test="tighten-effect"]'))
}

/** A1.6: what a code table would make invalid; only where tables are kept can they be changed. */
async function tables(page, below) {
  await below.goto(`${regulator}/tables?table=cleaning_method`)
  await settle(below)
  expect('editing below the root', await below.locator(by('table-edit')).count(), 0)
  await page.goto(`${ministry}/tables?table=cleaning_method`)
  await settle(page)
  await page.click(by('table-edit'))
  await page.locator('.entry button').first().click()
  expect('saving unseen', await page.isDisabled(by('table-save')), true)
  await page.click(by('table-preview'))
  await page.waitForSelector(by('invalid'))
  await picture(page, 'table')
  await page.click(`${by('table-save')}:enabled`)
  await page.waitForSelector(by('table-edit'))
}

/** F3.6, F3.7: the same with a thumb. */
async function phone() {
  const page = await open(browser, 'phone', complaints)
  await logIn(page, enterprise, 'm0001', 'fixture')
  await page.goto(`${enterprise}/config?type=Metric&key=${PLANT}C002P0101`)
  await settle(page)
  await page.fill(by('field-limits.h'), '1500')
  await page.waitForSelector(by('effect'))
  await page.click(`${by('record-save')}:enabled`)
  await page.waitForSelector(by('record-row'))
  await picture(page, 'phone')
}

const desk = await open(browser, 'desk', complaints)
await logIn(desk, regulator, 'ji01', 'fixture')
await narrowing(desk)
await edit(desk)
await bringBack(desk)
await importing(desk)
await limits(desk)
const top = await open(browser, 'desk', complaints)
await logIn(top, ministry, 'bu01', 'fixture')
await tables(top, desk)
await phone()
await browser.close()
site.close()
root.close()
record(
  'F2.1, F3.6 base data as people change them: effect, conflict, versions, Excel, code tables, limits',
  ['F1.1'],
  !complaints.length,
)
await keep('basedata')
for (const c of complaints) console.error(c)
if (complaints.length) process.exit(1)
console.log('base data: as they should be')
