// Pages as people see them who set their system so: more contrast, colours of their own, less motion (WCAG 2.2 1.4.11, 2.3.3).
import { by, logIn, open, settle, SHOTS } from './browser.mjs'

const PLANT = '320505030001'
const PAGES = {
  regulator: ['/', '/alarms', '/enterprises', `/enterprises/${PLANT}`, '/statistics', '/analysis'],
  enterprise: ['/', '/alarms', '/risk', '/cleaning'],
}
const MODES = {
  contrast: { contrast: 'more' },
  forced: { forcedColors: 'active' },
}

/** Texts that are not seen well enough: AAA (7:1, large 4.5:1) where more contrast was asked for. */
const faint = (page) =>
  page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    const rgb = (colour) => {
      canvas.clearRect(0, 0, 1, 1)
      canvas.fillStyle = colour
      canvas.fillRect(0, 0, 1, 1)
      return [...canvas.getImageData(0, 0, 1, 1).data]
    }
    const light = ([r, g, b]) => {
      const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)
      return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
    }
    const behind = (e) => {
      for (let at = e; at; at = at.parentElement) {
        const style = getComputedStyle(at)
        if (style.backgroundImage !== 'none') return undefined
        const colour = rgb(style.backgroundColor)
        if (colour[3] === 255) return colour
        if (colour[3] > 0) return undefined
      }
      return [255, 255, 255]
    }
    const out = new Map()
    for (const e of document.querySelectorAll('#app :not(svg *, svg, option, script, style)')) {
      const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
      if (!own || !e.checkVisibility({ visibilityProperty: true }) || e.closest(':disabled, .sr')) continue
      const style = getComputedStyle(e)
      const back = behind(e)
      if (!back) continue
      const [a, b] = [light(rgb(style.color)), light(back)].sort((x, y) => y - x)
      const ratio = (a + 0.05) / (b + 0.05)
      const size = parseFloat(style.fontSize)
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
      if (ratio < (large ? 4.5 : 7) - 0.01)
        out.set(
          `${style.color} on rgb(${back.slice(0, 3).join(', ')})`,
          `${ratio.toFixed(2)}:1 ${e.textContent.trim().slice(0, 20)}`,
        )
    }
    return [...out].slice(0, 8).map(([colours, what]) => `${colours} is ${what}`)
  })

/** What says something by its background alone, and no longer does where people's own colours are used. */
const flat = (page) =>
  page.evaluate(() => {
    const look = (e) => {
      const s = getComputedStyle(e)
      return [
        s.backgroundColor,
        s.color,
        s.borderTopColor,
        s.borderTopWidth,
        s.borderBottomColor,
        s.borderBottomWidth,
        s.textDecorationLine,
        s.outlineStyle,
      ].join()
    }
    const out = []
    for (const on of document.querySelectorAll(
      '[aria-pressed="true"], [aria-current="page"], [aria-selected="true"]',
    )) {
      const name = on.hasAttribute('aria-pressed')
        ? 'aria-pressed'
        : on.hasAttribute('aria-current')
          ? 'aria-current'
          : 'aria-selected'
      const off = [...on.parentElement.children].find(
        (e) => e !== on && e.tagName === on.tagName && e.getAttribute(name) !== on.getAttribute(name),
      )
      if (off && on.checkVisibility() && off.checkVisibility() && look(on) === look(off))
        out.push(`"${on.textContent.trim().slice(0, 20)}" looks as what is not chosen`)
    }
    for (const level of document.querySelectorAll('[class*="level-"]:not([class*="level-none"])'))
      if (level.checkVisibility() && !level.textContent.trim())
        out.push(`a level without a word: ${level.outerHTML.slice(0, 80)}`)
    return [...new Set(out)].slice(0, 6)
  })

/** Whatever still moves without an end where less motion was asked for. */
const restless = (page) =>
  page.evaluate(() =>
    document
      .getAnimations()
      .filter((a) => a.playState === 'running')
      .map((a) => `${a.animationName ?? 'something'} moves: ${a.effect.target?.outerHTML.slice(0, 80)}`),
  )

export async function modes(browser, site, complaints) {
  for (const [portal, paths] of Object.entries(PAGES)) {
    const size = portal === 'regulator' ? 'desk' : 'phone'
    const page = await open(browser, size, complaints, { reducedMotion: 'reduce', serviceWorkers: 'block' })
    const base = await site.listen(portal)
    await logIn(page, base, portal === 'regulator' ? 'ji01' : 'm0001', 'fixture')
    for (const path of paths) {
      await page.goto(base + path)
      await settle(page)
      complaints.push(...(await restless(page)).map((f) => `${portal} ${path} (less motion): ${f}`))
      for (const [mode, media] of Object.entries(MODES))
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ contrast: null, forcedColors: null, ...media, colorScheme })
          await settle(page)
          const found = mode === 'contrast' ? await faint(page) : await flat(page)
          complaints.push(...found.map((f) => `${portal} ${path} (${mode}, ${colorScheme}): ${f}`))
          const name = path === '/' ? 'home' : path.split('/')[1] + (path.includes(PLANT) ? '-plant' : '')
          await page.screenshot({ path: `${SHOTS}${mode}-${portal}-${name}-${colorScheme}.png` })
        }
      await page.emulateMedia({ contrast: null, forcedColors: null, colorScheme: 'light' })
    }
    await page.context().close()
  }
}
