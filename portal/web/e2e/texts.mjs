// Texts that nobody translated: names of texts instead of texts, and Chinese on an English page that is not data of the site.
import { readFile } from 'node:fs/promises'

const ZH = await readFile(new URL('../src/i18n/zh.ts', import.meta.url), 'utf8')
const GROUPS = [...ZH.matchAll(/^ {2}(\w+):/gm)].map((m) => m[1])
const OWN = ['中文'] // the switch to Chinese is in Chinese

const served = new WeakMap()

/** Listens to what a site tells a page: names, remarks and the like are in the language they were written in. */
export function readTexts(page) {
  const heard = new Set(OWN)
  served.set(page, heard)
  const listen = async (response) => {
    const type = response.headers()['content-type'] ?? ''
    if (!type.includes('json')) return
    const text = await response.text().catch(() => '')
    for (const run of text.match(/[\u4e00-\u9fff]+/g) ?? []) heard.add(run)
  }
  page.on('response', listen)
  return { stop: () => page.off('response', listen) }
}

/** Chinese that is no data, and raw names of texts, as they stand on the page. */
export async function leftovers(page) {
  const shown = await page.evaluate(() => {
    const out = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const e = node.parentElement
      if (e && !e.closest('script, style, noscript, [lang="zh"], code, pre, textarea'))
        out.push(node.textContent.trim())
    }
    for (const e of document.querySelectorAll('[aria-label], [placeholder], [title], [alt]'))
      for (const name of ['aria-label', 'placeholder', 'title', 'alt'])
        if (e.getAttribute(name)) out.push(e.getAttribute(name))
    return [...new Set(out)].filter(Boolean)
  })
  const data = [...(served.get(page) ?? [])].join('\n')
  const out = []
  const raw = new RegExp(`^(${GROUPS.join('|')})(\\.\\w+)+$`)
  for (const text of shown) {
    if (raw.test(text)) out.push(`not translated: ${text}`)
    const own = (text.match(/[\u4e00-\u9fff]+/g) ?? []).filter((run) => !data.includes(run))
    if (own.length) out.push(`Chinese on an English page: ${own.join(' ')} (${text.slice(0, 60)})`)
  }
  return out.slice(0, 8)
}
