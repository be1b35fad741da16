// The ways in on the real portal (portal/browser_test.go starts it), at a desk and on a phone: a second factor that must be set up, a
// captcha after failures, login by a provider. Issue 4, identity; GB/T 22239-2019 8.1.4.1.
import { createHmac } from 'node:crypto'
import { by, inspect, launch, open, settle, shoot, SIZES } from './browser.mjs'

const { LOGIN_REGULATOR: base, LOGIN_ENTERPRISE: plant, LOGIN_HELP: help, LOGIN_PASSWORD, LOGIN_STAFF } = process.env
const STEP_MS = 30_000
const complaints = []
const browser = await launch()
const wanted = (is, what) => is || complaints.push(what)
const at = (page, path) => page.waitForURL((url) => url.pathname === path)
const ask = async (path) => {
  const answer = await fetch(help + path)
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  return answer.text()
}

/** The code an app shows for a secret (RFC 6238, SHA-1, 6 digits, 30 s), some steps from now. */
function code(secret, steps = 0) {
  const bits = [...secret]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
    .join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / STEP_MS) + steps))
  const digest = createHmac('sha1', key).update(counter).digest()
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

async function look(page, size, name) {
  await settle(page)
  await shoot(page, size, `login-${name}-${size}`)
  for (const problem of await inspect(page, size === 'phone')) complaints.push(`${name} (${size}): ${problem}`)
}

async function type(page, login, password) {
  await page.fill(by('login-name'), login)
  await page.fill(by('login-password'), password)
  await page.click(by('login-submit'))
}

async function begin(size, to = '/login', options = {}) {
  const page = await open(browser, size, complaints, options)
  let asked = 0
  const count = (request) => (asked += Number(new URL(request.url()).pathname === '/api/v1/session'))
  page.on('request', count)
  await page.goto(base + to)
  await settle(page)
  page.off('request', count)
  wanted(asked === 1, `${size} ${to}: the session was asked for ${asked} times, not once and ahead of the script`)
  return page
}

/** Sets the second factor up that the site asks for, keeps the recovery codes, and is in. */
async function setUp(page, size, password) {
  await at(page, '/account')
  await page.waitForSelector(`${by('account-page')}[data-due="second_factor"]`)
  wanted(
    (await page.locator(by('nav-alarms')).count()) === 0,
    `${size}: the menu is shown before the second factor is set up`,
  )
  wanted(
    (await page.locator(by('factor-password')).count()) === Number(Boolean(password)),
    `${size}: password asked for`,
  )
  if (password) await page.fill(by('factor-password'), password)
  await page.click(by('factor-submit'))
  await page.waitForSelector(by('factor-qr'))
  const secret = (await page.textContent(by('factor-secret'))).trim()
  await page.fill(by('factor-code'), code(secret))
  await page.click(by('factor-confirm'))
  await page.waitForSelector(by('recovery-codes'))
  const recovery = await page.locator(`${by('recovery-codes')} li`).allTextContents()
  await page.click(by('recovery-kept'))
  await at(page, '/')
  return { secret, recovery: recovery.map((c) => c.trim()) }
}

async function leave(page) {
  await page.goto(`${base}/account`)
  await settle(page)
  await page.evaluate(async () => {
    const session = await (await fetch('/api/v1/session')).json()
    await fetch('/api/v1/session', { method: 'DELETE', headers: { 'X-CSRF-Token': session.csrf } })
  })
  await page.goto(`${base}/login`)
  await settle(page)
}

/** Log in -> made to set a second factor up -> recovery codes -> in; then with a code, a used code, a recovery code. */
async function factor(size) {
  const page = await begin(size)
  await type(page, `new-${size}`, LOGIN_PASSWORD)
  await at(page, '/account')
  await look(page, size, 'due')
  const { secret, recovery } = await setUp(page, size, LOGIN_PASSWORD)
  await leave(page)
  await type(page, `new-${size}`, LOGIN_PASSWORD)
  await page.waitForSelector(by('login-code'))
  await page.fill(by('login-code'), code(secret)) // used when it was set up, or right: never both
  const next = code(secret, 1)
  await look(page, size, 'code')
  await page.fill(by('login-code'), next)
  await page.click(by('login-submit'))
  await at(page, '/')
  await leave(page)
  await type(page, `new-${size}`, LOGIN_PASSWORD)
  await page.fill(by('login-code'), next)
  await page.click(by('login-submit'))
  await page.waitForSelector(`${by('login-problem')}:has-text("已使用过")`)
  await page.fill(by('login-code'), recovery[0])
  await page.click(by('login-submit'))
  await at(page, '/')
  await page.context().close()
}

/** Failures bring a captcha; it is read, heard, asked for anew, answered wrongly and rightly. */
async function captcha(size) {
  await ask('/forget')
  const page = await begin(size)
  for (let i = 0; i < 3; i++) {
    await type(page, `often-${size}`, `wrong ${i}`)
    await page.waitForSelector(`${by('login-problem')}:has-text("不正确")`)
    await page.fill(by('login-password'), '')
  }
  await type(page, `often-${size}`, LOGIN_PASSWORD)
  await page.waitForSelector(by('captcha-image'))
  await look(page, size, 'captcha')
  const first = await page.getAttribute(by('captcha-image'), 'src')
  await page.click(by('captcha-again'))
  await page.waitForFunction(
    (src) => document.querySelector('[data-test="captcha-image"]')?.getAttribute('src') !== src,
    first,
  )
  const [sound] = await Promise.all([
    page.waitForResponse((r) => r.url().includes('/captcha/sound')),
    page.click(by('captcha-listen')),
  ])
  wanted(sound.status() === 200 && sound.url().includes('lang=zh'), `${size}: the captcha's sound: ${sound.status()}`)
  await page.waitForSelector(`${by('captcha')}:has-text("正在播放")`)
  await page.waitForTimeout(500)
  wanted(
    (await page.locator(`${by('captcha')}:has-text("正在播放")`).count()) === 1,
    `${size}: the sound does not go on playing`,
  )
  await page.fill(by('captcha-digits'), '1')
  await page.click(by('login-submit'))
  await page.waitForSelector(`${by('login-problem')}:has-text("验证码不正确")`)
  await answer(page)
  await at(page, '/account')
  await page.context().close()
  const dark = await begin(size, '/login', { colorScheme: 'dark', english: true })
  await type(dark, `often-${size}`, 'wrong')
  await dark.waitForSelector(by('captcha-image'))
  await look(dark, size, 'captcha-dark')
  await dark.context().close()
  await ask('/forget')
}

/** Answers the captcha that is shown, as somebody who can see. */
async function answer(page) {
  const [asked] = await Promise.all([
    page.waitForResponse((r) => r.url().endsWith('/session/captcha')),
    page.click(by('captcha-again')),
  ])
  const { token } = await asked.json()
  await page.waitForSelector(by('captcha-image'))
  await page.fill(by('captcha-digits'), await ask(`/digits?token=${encodeURIComponent(token)}`))
  await page.click(by('login-submit'))
}

/** At the provider's own page, which is not ours. */
async function atProvider(page, size) {
  await page.click(by('login-provider'))
  await page.waitForSelector('input[name="username"]')
  await page.fill('input[name="username"]', `staff-${size}`)
  await page.fill('input[name="password"]', LOGIN_STAFF)
  await page.press('input[name="password"]', 'Enter')
}

/** By the provider: linked to nobody, then linked; a second factor of this site; the way one wanted to go. */
async function provider(size) {
  const page = await begin(size)
  await look(page, size, 'ways')
  await atProvider(page, size)
  await page.waitForSelector(`${by('sso-notice')}[data-result="unlinked"]`)
  wanted((await page.textContent(by('sso-subject'))).trim() === `sub-${size}`, `${size}: the identifier shown`)
  wanted(!page.url().includes('sub-'), `${size}: the identifier is in the address: ${page.url()}`)
  await look(page, size, 'unlinked')
  await ask(`/link?login=sso-${size}&subject=sub-${size}`)
  await atProvider(page, size)
  const { secret } = await setUp(page, size, '')
  await page.goto(`${base}/account`)
  await page.waitForSelector(by('no-password'))
  await look(page, size, 'account-by-provider')
  await leave(page)
  await page.goto(`${base}/alarms`)
  await at(page, '/login')
  await settle(page)
  await atProvider(page, size)
  await page.waitForSelector(by('sso-code'))
  await look(page, size, 'provider-code')
  await page.fill(by('sso-digits'), '000000')
  await page.click(by('sso-submit'))
  await page.waitForSelector(`${by('login-problem')}:has-text("不正确")`)
  await page.fill(by('sso-digits'), code(secret, 1))
  await page.click(by('sso-submit'))
  await at(page, '/alarms')
  await page.context().close()
  const dark = await begin(size, '/login?sso=down', { colorScheme: 'dark' })
  await dark.waitForSelector(`${by('sso-notice')}[data-result="down"]`)
  await look(dark, size, 'down-dark')
  await dark.context().close()
  const other = await open(browser, size, complaints)
  await other.goto(`${plant}/login?sso=down`)
  await look(other, size, 'plant')
  wanted((await other.locator(by('login-provider')).count()) === 0, `${size}: a button without a provider`)
  wanted((await other.locator(by('sso-notice')).count()) === 0, `${size}: a notice without a provider`)
  await other.context().close()
}

try {
  for (const size of Object.keys(SIZES)) {
    await factor(size)
    await provider(size)
    await captcha(size)
  }
} catch (e) {
  complaints.push(e.stack)
} finally {
  await browser.close()
}
const wrong = [...new Set(complaints)]
for (const c of wrong) console.error('-', c)
console.log(wrong.length ? 'login: something is wrong' : 'login: all looked at')
process.exitCode = wrong.length ? 1 : 0
