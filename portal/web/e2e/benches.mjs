// What regulators do at their benches, on the fixture: replay, the map by keys, models tried out, channels (F1.2, F2.2, F2.3); and the wall screen.
import { by, inspect, logIn, open, settle, SHOTS, VIEWPORTS } from './browser.mjs'

const PLANT = '320505030001'
const WALL = {
  screen: '/screen',
  'screen-province': '/screen?region=320000',
  'screen-city': '/screen?region=320500',
  'screen-county': '/screen?region=320505',
}

/** The wall screen at its size (F2.3), from the country down to a county: nothing scrolls, and it says how old it is. */
export async function walls(browser, site, complaints) {
  const base = await site.listen('regulator')
  const page = await open(browser, 'desk', complaints)
  await page.setViewportSize(VIEWPORTS.wall)
  await logIn(page, base, 'bu01', 'fixture')
  for (const [name, path] of Object.entries(WALL)) {
    await page.goto(base + path)
    await settle(page)
    await page.waitForSelector(`${by('risk-map')} [data-area]`)
    await page.waitForSelector(by('wall-fresh'))
    const { wide, high } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      high: document.documentElement.scrollHeight,
    }))
    if (wide > 1920 || high > 1080) complaints.push(`${path}: the wall screen is ${wide} x ${high}`)
    for (const problem of await inspect(page, false)) complaints.push(`${path} (wall): ${problem}`)
    await page.screenshot({ path: `${SHOTS}wall-${name}.png` })
  }
  await page.context().close()
}

/** Goes down to a county and up again by keys alone (F2.3): on the wall with the map's marks, on the page with its focus. */
async function drill(page, base, path, complaints) {
  const onPage = path === '/'
  const at = (region) => page.waitForSelector(`${by('risk-map')}[data-region="${region}"]`)
  const picked = (region) => page.locator(`${by('map-picked')}[data-picked="${region}"]`).count()
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
  await page.goto(base + path)
  await at('320000')
  await page.waitForSelector('[data-area="320500"][role="button"]')
  await settle(page)
  if (onPage) {
    const stops = await page.locator('[data-area][tabindex="0"]').count()
    if (stops !== 1) complaints.push(`the map has ${stops} stops for Tab`)
    await page.locator('[data-area][tabindex="0"]').focus()
  }
  for (const [region, name] of [
    ['320500', '苏州'],
    ['320505', '虎丘'],
  ]) {
    for (let i = 0; i < 24 && !(await picked(region)); i++)
      await page.keyboard.press(['ArrowDown', 'ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp', 'ArrowRight'][i % 6])
    if (!(await picked(region))) complaints.push(`${path}: arrow keys do not come to ${region}`)
    if (onPage && !(await focused()).startsWith(name)) complaints.push(`the map says "${await focused()}" of ${name}`)
    await page.keyboard.press('Enter')
    await at(region)
    await settle(page)
  }
  for (const [key, region] of [
    ['Escape', '320500'],
    ['Backspace', '320000'],
  ]) {
    await page.keyboard.press(key)
    await at(region)
    await settle(page)
  }
}

/** What the regulators' benches do when they are used. */
export async function benches(browser, site, complaints) {
  const base = await site.listen('regulator')
  const desk = await open(browser, 'desk', complaints)
  const keep = async (name) => {
    await settle(desk)
    await desk.screenshot({ path: `${SHOTS}regulator-${name}-desk.png`, fullPage: true })
  }
  await logIn(desk, base, 'ji01', 'fixture')
  await desk.goto(`${base}/replay?enterprise=${PLANT}`)
  await desk.waitForSelector(by('replay'))
  const before = await desk.textContent(by('replay-at'))
  await desk.locator(by('replay-event')).last().locator('button').click()
  if ((await desk.textContent(by('replay-at'))) === before) complaints.push('replay: the moment does not move')
  await desk.click(by('replay-judge'))
  await desk.waitForSelector(by('replay-difference'))
  await keep('replay-again')
  await drill(desk, base, '/', complaints)
  await drill(desk, base, '/screen', complaints)
  await desk.goto(`${base}/models/lab?enterprise=${PLANT}`)
  await desk.fill('#in-T01', '0')
  await desk.click(by('what-if-go'))
  await desk.waitForSelector(by('what-if-move'))
  await keep('what-if')
  await desk.goto(`${base}/models/lab?tab=back-test`)
  await desk.selectOption(by('back-test-version'), 'DUST-RISK-1.1')
  await desk.click(by('back-test-go'))
  await desk.waitForSelector(by('back-test-changed'))
  await keep('back-test')
  // A draft that is not published goes from the editor to the back-test with the page.
  await desk.goto(`${base}/models/edit`)
  await desk.click(by('model-back-test'))
  if (!(await desk.inputValue(by('back-test-draft')))) complaints.push('back-test: the draft did not come along')
  await keep('back-test-draft')
  const [asked] = await Promise.all([
    desk.waitForRequest((r) => r.url().endsWith('/model/back-test')),
    desk.click(by('back-test-go')),
  ])
  if (!asked.postDataJSON().document || asked.postDataJSON().version)
    complaints.push('back-test: the draft is not sent')
  await desk.waitForSelector(by('back-test-changed'))
  await desk.goto(`${base}/notify`)
  await desk.click(by('channel-new'))
  await desk.fill(by('channel-address'), 'duty@example.cn')
  await keep('channel-form')
  await desk.click(by('channel-submit'))
  await desk.waitForFunction(() => document.querySelectorAll('[data-test="channel-row"]').length === 3)
  await desk.locator(by('channel-remove')).last().click()
  await desk.locator(by('channel-remove')).last().click()
  await desk.waitForFunction(() => document.querySelectorAll('[data-test="channel-row"]').length === 2)
  await desk.context().close()
}
