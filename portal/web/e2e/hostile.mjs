// Names and texts that would run if a page took them for markup (API10, XSS): every text of the fixture's answers gets one.
export const PAYLOAD = `"'><img src=x onerror="window.ran=1"><svg onload="window.ran=1"><script>window.ran=1</script>{{constructor}}`
const TEXTS =
  /(^|_)(name|title|text|note|reason|person|item|subject|message|detail|evidence|actor|error|unit|clause|address|agent)$/

/** Every text a person could have written, with something hostile behind it; codes, kinds and times stay as they are. */
export const hostile = (data) =>
  JSON.parse(JSON.stringify(data), (key, value) =>
    typeof value === 'string' && TEXTS.test(key) ? value + PAYLOAD : value,
  )

/** What came of it on a page: something ran, or became an element. Pointing at the charts opens what they say there. */
export async function harm(page) {
  for (const chart of await page.locator('.chart').all()) {
    if (!(await chart.isVisible())) continue
    await chart.scrollIntoViewIfNeeded()
    const box = await chart.boundingBox()
    for (const x of [0.5, 0.52, 0.75]) await page.mouse.move(box.x + box.width * x, box.y + box.height / 2)
    await page.waitForTimeout(150)
  }
  return page.evaluate(() => [
    ...(window.ran ? ['a text ran as a script'] : []),
    ...(document.querySelector('img[src="x"], svg[onload], body script') ? ['a text became an element'] : []),
  ])
}
