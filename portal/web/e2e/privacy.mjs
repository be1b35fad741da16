// Keys for machines and personal data in full, on the fixture's world, at a desk and on a phone (T4; GB/T 22239-2019 8.1.4.11).
import { by, inspect, launch, logIn, open, settle, shoot, SIZES } from './browser.mjs'
import { record } from './clauses.mjs'
import { Site } from './fixture.mjs'

const PLANT = '320505030001'
const complaints = []
const browser = await launch()
const wanted = (is, what) => is || complaints.push(what)

async function look(page, size, name) {
  await settle(page)
  await shoot(page, size, `${name}-${size}`)
  for (const problem of await inspect(page, size === 'phone')) complaints.push(`${name} (${size}): ${problem}`)
}

// T4: a key is made with a name, routes and the password once more; its secret is shown once; it is revoked with two touches.
async function keys(size, base, login, portal) {
  const page = await open(browser, size, complaints)
  await logIn(page, base, login, 'fixture')
  await page.goto(`${base}/account`)
  await page.waitForSelector(by('key-row'))
  await page.locator(by('keys-card')).scrollIntoViewIfNeeded()
  await look(page, size, `${portal}-keys`)
  const before = await page.locator(by('key-row')).count()
  await page.click(by('key-new'))
  await page.fill(by('key-name'), '企业 MES 读取报警')
  await page.fill(by('key-password'), 'wrong')
  await page.click(by('key-submit'))
  await page.waitForSelector(`${by('key-problem')}:has-text("至少选择一个接口")`)
  await page.check(by('key-route-alarms'))
  await page.check(by('key-route-series'))
  await page.click(by('key-submit'))
  await page.waitForSelector(`${by('key-problem')}:has-text("当前口令不正确")`)
  await look(page, size, `${portal}-key-form`)
  await page.fill(by('key-password'), 'right')
  await page.click(by('key-submit'))
  await page.waitForSelector(by('key-secret'))
  wanted((await page.textContent(by('key-secret'))).startsWith('dhk_'), `${portal}: no secret is shown`)
  await look(page, size, `${portal}-key-made`)
  await page.click(by('key-kept'))
  wanted((await page.locator(by('key-secret')).count()) === 0, `${portal}: the secret stays`)
  await page.locator(by('key-revoke')).first().click()
  await page.locator(by('key-revoke')).first().click()
  await page.waitForFunction((n) => document.querySelectorAll('[data-test="key-row"]').length === n, before)
  await page.context().close()
}

async function security(size, base) {
  const page = await open(browser, size, complaints)
  await logIn(page, base, 'sec01', 'fixture')
  await page.goto(`${base}/people`)
  await page.waitForSelector(`${by('all-keys')} ${by('key-row')}`)
  await page.locator(by('all-keys')).scrollIntoViewIfNeeded()
  await look(page, size, 'regulator-all-keys')
  await page.context().close()
}

// F2.4, F2.1: a contact is masked until a regulator says why he reads it; it is hidden again.
async function reveal(size, base) {
  const page = await open(browser, size, complaints)
  await logIn(page, base, 'ji01', 'fixture')
  await page.goto(`${base}/enterprises/${PLANT}`)
  await page.waitForSelector(by('reveal-open'))
  wanted(!(await page.content()).includes('陈安全'), 'a name stands in clear on the plant page')
  await page.click(by('reveal-open'))
  await page.fill(by('reveal-reason'), '查')
  await page.click(by('reveal-submit'))
  await page.waitForSelector(by('reveal-problem'))
  await page.locator(by('reveal-reason')).scrollIntoViewIfNeeded()
  await look(page, size, 'regulator-reveal-reason')
  await page.fill(by('reveal-reason'), '核实报警处置联系人')
  await page.click(by('reveal-submit'))
  await page.waitForSelector(`${by('reveal-values')}:has-text("13862206021")`)
  await look(page, size, 'regulator-reveal')
  await page.click(by('reveal-hide'))
  await page.waitForSelector(by('reveal-open'))
  wanted(!(await page.content()).includes('13862206021'), 'a number stays on the page')
  await page.context().close()
}

try {
  for (const size of Object.keys(SIZES)) {
    const site = new Site('jiangsu')
    try {
      const regulator = await site.listen('regulator')
      await keys(size, regulator, 'ji01', 'regulator')
      await keys(size, await site.listen('enterprise'), 'm0001', 'enterprise')
      await security(size, regulator)
      await reveal(size, regulator)
    } finally {
      site.close()
    }
  }
} catch (e) {
  complaints.push(e.stack)
} finally {
  await browser.close()
}
const wrong = [...new Set(complaints)].filter((c) => !/status of 422/.test(c))
for (const c of wrong) console.error('-', c)
console.log(wrong.length ? 'privacy: something is wrong' : 'privacy: all looked at')
record('keys for machines; F2.1, F2.4 personal data in full with a reason', [], !wrong.length)
if (wrong.length) process.exitCode = 1
