// F3.7, F2.4: whatever opens over a page is left with Escape, holds the keyboard while it is open, and gives the focus back.
import { by, launch, logIn, open, settle } from './browser.mjs'
import { keep, record } from './clauses.mjs'
import { Site } from './fixture.mjs'

const PLANT = '320505030001'
const DIALOGS = [
  { portal: 'enterprise', login: 'm0001', path: '/cleaning', opener: by('cleaning-checkin'), clause: 'F3.5' },
  { portal: 'enterprise', login: 'm0001', path: '/', opener: '[data-test^="mimic-"]', clause: 'F3.1' },
  { portal: 'regulator', login: 'ji01', path: '/spot-checks', opener: by('spot-check-draw'), clause: 'F2.4' },
  { portal: 'regulator', login: 'ji01', path: `/enterprises/${PLANT}`, opener: by('spot-check-new'), clause: 'F2.4' },
]
const OPEN = '.van-popup.sheet:visible, .el-dialog:visible, dialog[open]'
const complaints = []

/** What is wrong with what opens there. */
async function tryOut(page, opener) {
  const out = []
  await page.locator(opener).first().focus()
  await page.keyboard.press('Enter')
  await page.locator(OPEN).first().waitFor()
  await page.waitForTimeout(400)
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab')
    const outside = await page.evaluate(() => {
      const e = document.activeElement
      return e && e !== document.body && !e.closest('.van-popup, .van-overlay, .el-overlay, dialog')
        ? e.outerHTML.slice(0, 90)
        : ''
    })
    if (outside) {
      out.push(`Tab leaves it for ${outside}`)
      break
    }
  }
  await page.locator(OPEN).first().locator('button, input, [tabindex]').first().focus()
  await page.keyboard.press('Escape')
  await page
    .waitForFunction(() => {
      const shown = [...document.querySelectorAll('.van-popup.sheet, .el-dialog, dialog[open]')]
      return !shown.some((e) => e.checkVisibility())
    })
    .catch(() => out.push('Escape does not close it'))
  const back = await page.evaluate((at) => document.activeElement?.matches(at), opener)
  if (!back) out.push('the focus does not go back to what opened it')
  return out
}

const browser = await launch()
const site = new Site('jiangsu')
for (const { portal, login, path, opener, clause } of DIALOGS) {
  const name = `${clause} Escape closes what ${opener} opens on ${portal} ${path}`
  const before = complaints.length
  try {
    const page = await open(browser, 'desk', complaints)
    const base = await site.listen(portal)
    await logIn(page, base, login, 'fixture')
    await page.goto(base + path)
    await settle(page)
    complaints.push(...(await tryOut(page, opener)).map((f) => `${name}: ${f}`))
    await page.context().close()
  } catch (e) {
    complaints.push(`${name}: ${e.stack}`)
  }
  const ok = complaints.length === before
  record(name, [clause], ok)
  console.log(ok ? 'ok  ' : 'FAIL', name)
}
await browser.close()
site.close()
await keep('dialogs')
for (const c of complaints) console.error('-', c)
console.log(complaints.length ? 'dialogs: something is wrong' : 'dialogs: all as they should be')
process.exitCode = complaints.length ? 1 : 0
