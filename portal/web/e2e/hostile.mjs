// Every page of both portals with something hostile behind every text (payload.mjs): nothing of it may run or become an element.
import { drawCharts, logIn, open, settle } from './browser.mjs'

/** What came of it on a page: something ran, or became an element. Pointing at the charts opens what they say there. */
async function harm(page) {
  await drawCharts(page)
  for (const chart of await page.locator('.chart').all()) {
    if (!(await chart.isVisible())) continue
    await chart.scrollIntoViewIfNeeded()
    const box = await chart.boundingBox()
    for (const x of [0.5, 0.52, 0.75]) await page.mouse.move(box.x + box.width * x, box.y + box.height / 2)
    await settle(page)
  }
  return page.evaluate(() => [
    ...(window.ran ? ['a text ran as a script'] : []),
    ...(document.querySelector('img[src="x"], svg[onload], body script') ? ['a text became an element'] : []),
  ])
}

const AT_A_TIME = 10 // pages of one browser context

/**
 * Every page with something hostile behind every text of it, in the size that its people use, as tasks for the workers of a queue. It looks
 * as it must not look, and is not pictured.
 */
export function harmless(browser, { portal, pages, base, login, size }, complaints) {
  const paths = Object.values(pages)
  const tasks = []
  for (let from = 0; from < paths.length; from += AT_A_TIME)
    tasks.push(async () => {
      const page = await open(browser, size, complaints, { reducedMotion: 'reduce', serviceWorkers: 'block' })
      await logIn(page, base, login, 'fixture')
      for (const path of paths.slice(from, from + AT_A_TIME)) {
        await page.goto(base + path)
        await settle(page)
        complaints.push(...(await harm(page)).map((h) => `${portal} ${path} (hostile): ${h}`))
      }
      await page.context().close()
    })
  return tasks
}
