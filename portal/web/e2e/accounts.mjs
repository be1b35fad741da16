// The pages of accounts, people and the audit on the fixture's world, at a desk and on a phone: what is due comes first, every role
// lands where it may read, and nothing on the way is refused or complained of.
import { by, inspect, launch, logIn, open, settle, shoot, SIZES } from './browser.mjs'
import { keep, record } from './clauses.mjs'
import { Site } from './fixture.mjs'

const NEW = 'Fresh-password1'
const complaints = []
const browser = await launch()

async function look(page, size, name) {
  await settle(page)
  await shoot(page, size, `${name}-${size}`)
  for (const problem of await inspect(page, size === 'phone')) complaints.push(`${name} (${size}): ${problem}`)
}

// A wrong password or code is answered 422, an identity that is taken 409; both are said in the page.
const told = (c) => !/status of (409|422)/.test(c)
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
/** Each administrator lands on a page of their own, sees no more of the menu than that, and is told so elsewhere. */
async function land(size, base, login, path, nav) {
  const page = await open(browser, size, complaints)
  await logIn(page, base, login, 'fixture')
  await at(page, path)
  await look(page, size, `${login}-home`)
  const shown = await page.locator('header nav a').evaluateAll((all) => all.map((a) => a.dataset.test.slice(4)))
  if (nav) wanted(shown.join() === nav.join(), `${login} (${size}): the menu shows ${shown.join()}`)
  return page
}

async function security(size, base) {
  const page = await land(size, base, 'sec01', '/people', ['people', 'orgs'])
  await page.click(by('person-new'))
  await page.fill(by('person-login'), 'xz01')
  await page.fill(by('person-name'), '徐值班')
  await page.fill(by('person-password'), NEW)
  await look(page, size, 'person-new')
  await page.selectOption(by('person-role'), 'plant_worker')
  await page.click(by('person-submit'))
  await page.waitForSelector(by('person-problem'))
  await page.selectOption(by('person-role'), 'province_regulator')
  await page.selectOption(by('person-org'), 'js-xz')
  await page.click(by('person-submit'))
  const row = page.locator(`${by('person-row')}[data-login="xz01"]`)
  await row.waitFor()
  await row.locator(by('person-lock')).click()
  await row.locator(by('person-lock')).click()
  await page.waitForSelector(`${by('person-row')}[data-login="xz01"][data-disabled="true"]`)
  await row.locator(by('person-reset')).click()
  await page.fill(by('reset-password'), NEW)
  await page.click(by('reset-submit'))
  await page.waitForSelector(by('people-said'))
  await row.locator(by('person-edit')).click()
  await page.fill(by('person-name'), '徐副班')
  await page.click(by('person-submit'))
  await page.waitForSelector(`${by('person-row')}:has-text("徐副班")`)
  await row.locator(by('person-link')).click()
  await page.fill(by('link-subject'), 'a1f6c7de-0b52')
  await look(page, size, 'person-link')
  await page.click(by('link-submit'))
  await row.locator(by('person-linked')).waitFor()
  const other = page.locator(`${by('person-row')}[data-login="ji01"]`)
  await other.locator(by('person-link')).click()
  await page.fill(by('link-subject'), 'a1f6c7de-0b52')
  await page.click(by('link-submit'))
  await page.waitForSelector(`${by('link-problem')}:has-text("其他用户")`)
  await row.locator(by('person-link')).click()
  await page.click(by('link-remove'))
  await row.locator(by('person-linked')).waitFor({ state: 'detached' })
  await row.locator(by('person-sessions')).click()
  await page.waitForSelector(by('session-row'))
  await page.goto(`${base}/orgs`)
  await look(page, size, 'orgs')
  wanted((await page.locator(by('org-new')).count()) === 0, `orgs (${size}): the security administrator may add one`)
  await page.goto(`${base}/alarms`)
  await page.waitForSelector(by('state-denied'))
  await page.context().close()
}

async function auditor(size, base) {
  const page = await land(size, base, 'aud01', '/audit', ['audit'])
  await page.selectOption(by('audit-result'), 'refused')
  await page.click(by('audit-search'))
  await page.waitForFunction(() => document.querySelectorAll('[data-test="audit-row"]').length === 1)
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(by('audit-export'))])
  wanted(file.suggestedFilename() === 'audit.csv', `audit (${size}): the file is ${file.suggestedFilename()}`)
  await page.fill(by('audit-actor'), 'nobody')
  await page.click(by('audit-search'))
  await page.waitForSelector(by('state-empty'))
  await page.goto(`${base}/people`)
  await page.waitForSelector(by('state-denied'))
  await page.context().close()
}

async function system(size, base) {
  const page = await land(size, base, 'sys01', '/')
  await page.goto(`${base}/orgs`)
  await page.click(by('org-new'))
  await page.fill(by('org-code'), `js-nj-${size}`)
  await page.fill(by('org-name'), `南京市应急管理局 ${size}`)
  await look(page, size, 'org-new')
  await page.click(by('org-submit'))
  await page.waitForSelector(`${by('org-row')}:has-text("js-nj-${size}")`)
  await page.context().close()
}

try {
  for (const size of Object.keys(SIZES)) {
    const site = new Site('jiangsu')
    try {
      const regulator = await site.listen('regulator')
      await account(size, regulator, 'ji01', 'regulator')
      await account(size, await site.listen('enterprise'), 'm0001', 'enterprise')
      await due(size, regulator)
      await security(size, regulator)
      await auditor(size, regulator)
      await system(size, regulator)
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
record('accounts, what is due, people and the audit, at a desk and on a phone', [], !wrong.length)
process.exitCode = wrong.length ? 1 : 0
await import('./privacy.mjs')
await keep('accounts')
