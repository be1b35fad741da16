// Every page in every size, theme and language that somebody uses: sizes with themes, sizes with languages and themes with languages all
// meet (pairwise), so six looks stand for twelve. A page is loaded once for a desk and once for a phone; theme, size and language change
// in it as people change them, so that what does not follow is found, too.
import { drawCharts, layout, logIn, open, settle, SHOTS, VIEWPORTS } from './browser.mjs'
import { violations } from './axe.mjs'
import { clausesOf, record } from './clauses.mjs'
import { reach } from './keyboard.mjs'
import { leftovers, readTexts } from './texts.mjs'

/** Loads of a page, and the looks that each is seen in: axe-core judges the first, and the colours where both theme and size are new. */
const LOADS = {
  desk: [
    { size: 'laptop', theme: 'light' },
    { size: 'wall', theme: 'dark' },
    { size: 'laptop', theme: 'dark', english: true, colours: true },
    { size: 'wall', theme: 'light', english: true },
  ],
  phone: [
    { size: 'phone', theme: 'dark' },
    { size: 'phone', theme: 'light', english: true, colours: true },
  ],
}

/** Another look of a page that is open. */
async function change(page, before, { size, theme, english }) {
  if (theme !== before.theme) await page.emulateMedia({ colorScheme: theme })
  if (size !== before.size) await page.setViewportSize(VIEWPORTS[size])
  if (english !== before.english) await speak(page, english ? 'en' : 'zh')
  await settle(page)
}

/** Another language, as if it were chosen in another tab. */
const speak = (page, locale) =>
  page.evaluate(async (to) => {
    const key = 'dusthub.locale'
    localStorage.setItem(key, to)
    window.dispatchEvent(new StorageEvent('storage', { key, newValue: to }))
    while (!document.documentElement.lang.startsWith(to)) await new Promise((done) => setTimeout(done, 10))
  }, locale)

/** A page in the looks of a load. Complaints name the portal, the path and the look. */
async function look(page, { portal, base, path, name, looks, keyboard }, complaints) {
  await page.goto(base + path)
  let now = looks[0]
  await settle(page)
  await drawCharts(page)
  for (const [i, next] of looks.entries()) {
    const { size, theme, english = false, colours } = next
    await change(page, now, next)
    now = next
    const first = i === 0
    const phone = size === 'phone'
    const found = await layout(page, phone)
    if (first || colours) found.push(...(await violations(page, !first)))
    if (english && colours) found.push(...(await leftovers(page)))
    if (keyboard && first && !phone) found.push(...(await reach(page)))
    const language = english ? 'en' : 'zh'
    await page.screenshot({ path: `${SHOTS}${portal}-${name}-${size}-${theme}-${language}.png`, fullPage: first })
    complaints.push(...found.map((f) => `${portal} ${path} (${size}, ${theme}, ${language}): ${f}`))
  }
  await speak(page, 'zh')
  await page.emulateMedia({ colorScheme: looks[0].theme })
  await page.setViewportSize(VIEWPORTS[looks[0].size])
}

const AT_A_TIME = 6 // pages of one browser context: small enough that two cores end together

/** Looks at all pages of a portal, as tasks for the workers of a queue (queue.mjs). Says at the end what came of every page. */
export function everyPage(browser, { portal, pages, base, login, keyboard = true }, all) {
  const names = Object.keys(pages)
  const wrong = new Set()
  const tasks = []
  for (const looks of Object.values(LOADS))
    for (let from = 0; from < names.length; from += AT_A_TIME)
      tasks.push(async () => {
        const complaints = []
        const [{ size, theme }] = looks
        const page = await open(browser, size, complaints, {
          colorScheme: theme,
          reducedMotion: 'reduce',
          serviceWorkers: 'block',
        })
        readTexts(page)
        await logIn(page, base, login, 'fixture')
        for (const name of names.slice(from, from + AT_A_TIME)) {
          const before = complaints.length
          await look(page, { portal, base, path: pages[name], name, looks, keyboard }, complaints)
          if (complaints.length > before) wrong.add(name)
        }
        await page.context().close()
        all.push(...complaints)
      })
  const note = () => {
    for (const name of names)
      record(`${portal} ${pages[name]} in six looks`, clausesOf(portal, pages[name]), !wrong.has(name))
  }
  return { tasks, note }
}
