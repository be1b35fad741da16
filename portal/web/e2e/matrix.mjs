// Every page in every size, theme and language that somebody uses: sizes with themes, sizes with languages and themes with languages all
// meet (pairwise), so six looks stand for twelve. What one look cannot show apart from another is checked once for each load of a page.
import { inspect, layout, logIn, open, settle, SHOTS, VIEWPORTS } from './browser.mjs'
import { clausesOf, record } from './clauses.mjs'
import { reach } from './keyboard.mjs'
import { leftovers, readTexts } from './texts.mjs'

/** Loads of a page, and the looks that each is seen in. The first of a load is judged by axe-core, too. */
const LOADS = [
  {
    english: false,
    looks: [
      { size: 'laptop', theme: 'light' },
      { size: 'wall', theme: 'dark' },
    ],
  },
  {
    english: true,
    looks: [
      { size: 'laptop', theme: 'dark' },
      { size: 'wall', theme: 'light' },
    ],
  },
  { english: true, looks: [{ size: 'phone', theme: 'light' }] },
  { english: false, looks: [{ size: 'phone', theme: 'dark' }] },
]

/** A page in all its looks. Complaints name the portal, the path and the look. */
async function look(page, { portal, base, path, name, load, keyboard }, complaints) {
  await page.goto(base + path)
  await settle(page)
  for (const [i, { size, theme }] of load.looks.entries()) {
    const phone = size === 'phone'
    if (i > 0) {
      await page.emulateMedia({ colorScheme: theme })
      await page.setViewportSize(VIEWPORTS[size])
      await page.waitForTimeout(250)
    }
    const title = `${portal} ${path} (${size}, ${theme}, ${load.english ? 'en' : 'zh'})`
    const found = i === 0 || phone ? await inspect(page, phone) : await layout(page, phone)
    if (load.english && i === 0) found.push(...(await leftovers(page)))
    if (keyboard && i === 0 && !load.english && !phone) found.push(...(await reach(page)))
    await page.screenshot({
      path: `${SHOTS}${portal}-${name}-${size}-${theme}-${load.english ? 'en' : 'zh'}.png`,
      fullPage: i === 0,
    })
    complaints.push(...found.map((f) => `${title}: ${f}`))
  }
}

/** All pages of a portal in all looks. */
export async function everyPage(browser, { portal, pages, base, login, keyboard = true }, all, only = '') {
  const complaints = [] // of this portal: the other is looked at meanwhile
  const results = new Map(Object.keys(pages).map((name) => [name, true]))
  for (const load of LOADS) {
    const [{ size, theme }] = load.looks
    const page = await open(browser, size, complaints, { english: load.english, colorScheme: theme })
    const texts = load.english ? readTexts(page) : undefined
    await logIn(page, base, login, 'fixture')
    await settle(page)
    for (const [name, path] of Object.entries(pages)) {
      if (only && !`${portal}-${name}`.includes(only)) continue
      const before = complaints.length
      await look(page, { portal, base, path, name, load, keyboard }, complaints)
      if (complaints.length > before) results.set(name, false)
    }
    texts?.stop()
    await page.context().close()
  }
  all.push(...complaints)
  for (const [name, ok] of results) record(`${portal} ${pages[name]} in six looks`, clausesOf(portal, pages[name]), ok)
}
