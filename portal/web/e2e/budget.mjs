// What a browser loads of script before a person sees the first page, compressed as the site sends it: fails over the budget. Read from
// the built front end, so build it first (make web).
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET = 300 * 1024 // bytes, issue 4
const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))
const CHARTS = 'src/shared/charts.ts'
const PORTALS = {
  regulator: ['regulator.html', 'src/overview/Overview.vue'],
  enterprise: ['enterprise.html'], // its daily pages come with it
}

/** The files that modules bring with them, themselves and what they import; what they import later is not among them. */
function filesOf(names, found = new Set()) {
  for (const name of names) {
    const chunk = manifest[name]
    if (!chunk) throw new Error(`${name} is not in the manifest: has it been renamed? See e2e/budget.mjs`)
    if (found.has(chunk.file)) continue
    found.add(chunk.file)
    filesOf(chunk.imports ?? [], found)
  }
  return found
}

const sizes = new Map()
function size(file) {
  if (!sizes.has(file)) sizes.set(file, gzipSync(readFileSync(new URL(file, dist))).length)
  return sizes.get(file)
}
const sum = (files) => [...files].reduce((n, file) => n + size(file), 0)
const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`

let over = false
for (const [portal, modules] of Object.entries(PORTALS)) {
  const login = filesOf([modules[0]])
  const first = filesOf(modules)
  const later = [...filesOf([CHARTS])].filter((file) => !first.has(file))
  console.log(
    `${portal}: login ${kb(sum(login))}, with the first page ${kb(sum(first))} in ${first.size} files, of ${kb(BUDGET)}; charts, loaded when one is shown, ${kb(sum(later))}`,
  )
  if (!later.includes(manifest[CHARTS].file)) {
    console.error(
      `${portal}: the charts are loaded with the first page: import shared/charts where one is drawn, not before`,
    )
    over = true
  }
  if (sum(first) > BUDGET) {
    console.error(`${portal}: over the budget. The largest files:`)
    for (const file of [...first].sort((a, b) => size(b) - size(a)).slice(0, 8))
      console.error(`  ${kb(size(file))} ${file}`)
    over = true
  }
}
process.exitCode = over ? 1 : 0
