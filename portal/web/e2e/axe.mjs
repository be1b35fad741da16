// What axe-core finds on a page: the rules of WCAG 2.2 A and AA, and its own best practices. What is serious or critical is a fault.
import axe from 'axe-core'

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const SHOWN = 3 // places of each rule that are named

/** What depends on the theme. */
const COLOURS = ['color-contrast', 'link-in-text-block']

/** Serious and critical violations of what is shown now, in words; of the colours alone where the rest was judged before. */
export async function violations(page, coloursAlone = false) {
  const loaded = await page.evaluate(() => typeof window.axe === 'object')
  if (!loaded) await page.evaluate(axe.source)
  const found = await page.evaluate(
    (runOnly) => window.axe.run(document, { runOnly, resultTypes: ['violations'] }),
    coloursAlone ? { type: 'rule', values: COLOURS } : { type: 'tag', values: TAGS },
  )
  return found.violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => {
      const places = v.nodes.slice(0, SHOWN).map((n) => `${n.target.join(' ')} (${reason(n)})`)
      const rest = v.nodes.length > SHOWN ? ` and ${v.nodes.length - SHOWN} more` : ''
      return `axe ${v.id}: ${v.help}: ${places.join('; ')}${rest}`
    })
}

/** The first check that failed, short: of a contrast its figures. */
function reason(node) {
  const check = [...node.any, ...node.all, ...node.none][0]
  const { contrastRatio, fgColor, bgColor } = check?.data ?? {}
  return contrastRatio ? `${fgColor} on ${bgColor} is ${contrastRatio}:1` : (check?.message ?? '')
}
