// A page used with the keyboard alone: Tab comes to everything that can be used, what has the focus is seen to have it, nothing holds it.
const MOST = 400 // presses: a page with more than that to come by is a fault of its own

/** Marks what can be used, and what it is called, in the order of the page. */
const mark = (page) =>
  page.evaluate(() => {
    const groups = new Set()
    const usable = [
      ...document.querySelectorAll(
        'a[href], button, input, select, textarea, summary, [tabindex], [contenteditable="true"]',
      ),
    ].filter((e) => {
      if (e.tabIndex < 0 || e.disabled || e.type === 'hidden' || e.closest('[inert]')) return false
      if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: false })) return false
      const box = e.getBoundingClientRect()
      if (!box.width && !box.height) return false
      if (e.type !== 'radio') return true
      const first = !groups.has(e.name) // the arrows go on from the one of a group that Tab comes to
      groups.add(e.name)
      return first
    })
    window.usable = usable
    window.drawnAs = (e) => ['stroke', 'strokeWidth', 'fill'].map((p) => getComputedStyle(e)[p]).join()
    window.unfocused = usable.map((e) => window.drawnAs(e))
    document.activeElement?.blur()
    window.scrollTo(0, 0)
    getSelection()?.removeAllRanges()
    return usable.length
  })

/** From now on every key that is let go notes what has the focus: its place among what can be used, and whether it is seen. */
const listen = (page) =>
  page.evaluate(() => {
    const drawn = (x) => {
      const s = getComputedStyle(x)
      return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none'
    }
    const focused = () => {
      const e = document.activeElement
      if (!e || e === document.body) return null
      const at = window.usable.indexOf(e)
      const parts = /^(date|time|datetime-local|month)$/.test(e.type) // the browser shows which part of a time has it
      const skip = parts || e.matches('.skip')
      const seen =
        skip ||
        (e instanceof SVGElement && window.drawnAs(e) !== window.unfocused[at]) ||
        drawn(e) ||
        (e.parentElement && drawn(e.parentElement)) ||
        e.closest('.el-input__wrapper, .el-select__wrapper, label') !== null
      const radio = e.type === 'radio' ? window.usable.findIndex((u) => u.type === 'radio' && u.name === e.name) : at
      return { at: radio, seen, what: e.outerHTML.slice(0, 100) }
    }
    window.focusedBy = []
    window.addEventListener('keyup', () => window.focusedBy.push(focused()), true)
  })

const TAB = { key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 }
const AT_ONCE = 20 // presses that are sent one after another without waiting for each

/** What had the focus after each of some presses of Tab. */
async function tabs(page, cdp) {
  const sent = []
  for (let i = 0; i < AT_ONCE; i++)
    for (const type of ['rawKeyDown', 'keyUp']) sent.push(cdp.send('Input.dispatchKeyEvent', { type, ...TAB }))
  await Promise.all(sent)
  return page.evaluate(() => window.focusedBy.splice(0))
}

/** What is wrong with a page for somebody without a mouse. */
export async function reach(page) {
  const count = await mark(page)
  if (count > MOST) return [`keyboard: ${count} things to come by with Tab`]
  const reached = new Set()
  const hidden = new Set()
  let same = 0
  let blank = 0
  let before
  await listen(page)
  const cdp = await page.context().newCDPSession(page)
  for (let i = 0; i < count + 80 && reached.size < count && blank < 3; i += AT_ONCE) {
    for (const now of await tabs(page, cdp)) {
      if (!now) {
        blank++ // once around; or what had the focus was drawn anew by a reading
        continue
      }
      same = now.what === before?.what && now.at === before?.at ? same + 1 : 0
      if (same > 9) return [`keyboard: the focus is held by ${now.what}`]
      before = now
      if (now.at >= 0) reached.add(now.at)
      if (!now.seen) hidden.add(now.what)
    }
  }
  await cdp.detach()
  const missed = await page.evaluate(
    (at) =>
      window.usable
        .filter((e, i) => !at.includes(i) && e.isConnected && e.tabIndex >= 0)
        .map((e) => e.outerHTML.slice(0, 100)),
    [...reached],
  )
  return [
    ...missed.slice(0, 3).map((e) => `keyboard: Tab does not come to ${e}`),
    ...[...hidden].slice(0, 3).map((e) => `keyboard: the focus is not seen on ${e}`),
  ]
}
