// The pages of accounts, people and the audit on the fixture's world, at a desk and on a phone: what is due comes first, every role
// lands where it may read, and nothing on the way is refused or complained of.
import { by, inspect, launch, logIn, open, settle, shoot, SIZES } from './browser.mjs'
import { Site } from './fixture.mjs'

const NEW = 'Fresh-password1'
const complaints = []
const browser = await launch()

async function look(page, size, name) {
  await settle(page)
  await shoot(page, size, `${name}-${size}`)
  for (const problem of await inspect(page, size === 'phone')) complaints.push(`${name} (${size}): ${problem}`)
}

// A wrong password or code is answered 422, and said in the page.
const told = (c) => !/status of 422/.test(c)
const wanted = (is, what) => is || complaints.push(what)
const at = (page, path) => page.waitForURL((url) => url.pathname === path)

async function account(size, base, login, prefix) {
  const page = await open(browser, size, complaints)
  await logIn(page, base, login, 'fixture')
  await page.goto(`${base}/account`)
  await look(page, size, `${prefix}-account`)
  await page.fill(by('password-old'), 'wrong')
  await page.fill(by('password-new'), 'short')
  await page.fill(by('password-again'), 'short')
  await page.click(by('password-submit'))
  await page.waitForSelector(by('password-problem'))
  await page.fill(by('password-new'), NEW)
  await page.fill(by('password-again'), NEW)
  await page.click(by('password-submit'))
  await page.waitForSelector(`${by('password-problem')}:has-text("当前口令不正确")`)
  await page.fill(by('password-old'), 'right')
  await page.click(by('password-submit'))
  await page.waitForSelector(by('password-done'))
  const rows = page.locator(by('session-row'))
  const before = await rows.count()
  await page.locator(by('session-end')).first().click()
  await page.locator(by('session-end')).first().click()
  await page.waitForFunction((n) => document.querySelectorAll('[data-test="session-row"]').length < n, before)
  await setUp(page)
  await look(page, size, `${prefix}-recovery`)
  await page.click(by('recovery-kept'))
  await page.waitForSelector(`${by('factor-card')}[data-on="true"]`)
  await page.fill(by('factor-password'), 'right')
  await page.fill(by('factor-off-code'), '123456')
  await page.click(by('factor-submit'))
  await page.waitForSelector(`${by('factor-card')}[data-on="false"]`)
  await page.context().close()
}

async function setUp(page) {
  await page.fill(by('factor-password'), 'right')
  await page.click(by('factor-submit'))
  await page.waitForSelector(by('factor-qr'))
  await page.fill(by('factor-code'), '000000')
  await page.click(by('factor-confirm'))
  await page.waitForSelector(by('factor-problem'))
  await page.fill(by('factor-code'), '123456')
  await page.click(by('factor-confirm'))
  await page.waitForSelector(by('recovery-codes'))
}

/** What is due is all there is, until it is done. */
async function due(size, base) {
  const page = await open(browser, size, complaints)
  await logIn(page, base, 'new01', 'fixture')
  await page.goto(`${base}/alarms`)
  await at(page, '/account')
  await look(page, size, 'due-password')
  wanted((await page.locator(by('nav-alarms')).count()) === 0, `due (${size}): the menu is shown`)
  await page.fill(by('password-old'), 'right')
  await page.fill(by('password-new'), NEW)
  await page.fill(by('password-again'), NEW)
  await page.click(by('password-submit'))
  await at(page, '/')
  await page.context().close()
  const other = await open(browser, size, complaints)
  await logIn(other, base, 'two01', 'fixture')
  await at(other, '/account')
  await setUp(other)
  await look(other, size, 'due-second-factor')
  await other.click(by('recovery-kept'))
  await at(other, '/')
  await other.context().close()
}
try {
  for (const size of Object.keys(SIZES)) {
    const site = new Site('jiangsu')
    try {
      const regulator = await site.listen('regulator')
      await account(size, regulator, 'ji01', 'regulator')
      await account(size, await site.listen('enterprise'), 'm0001', 'enterprise')
      await due(size, regulator)
    } finally {
      site.close()
    }
  }
} catch (e) {
  complaints.push(e.stack)
} finally {
  await browser.close()
}
const wrong = [...new Set(complaints)].filter(told)
for (const c of wrong) console.error('-', c)
console.log(wrong.length ? 'accounts: something is wrong' : 'accounts: all looked at')
process.exitCode = wrong.length ? 1 : 0
