// Every page of both portals on the fixture's world in every look that somebody has of it (matrix.mjs): pictures, and a check of what can
// be checked by rule (console, width, names, touch sizes, axe-core, keyboard, texts). Once more with something hostile behind every text.
// Also what is done in them: the wall screen, the benches, the loop. All side by side, as many as there are cores (queue.mjs).
import { benches, walls } from './benches.mjs'
import { launch, SHOTS } from './browser.mjs'
import { keep, record } from './clauses.mjs'
import { Site } from './fixture.mjs'
import { harmless } from './hostile.mjs'
import { loop } from './loop.mjs'
import { everyPage } from './matrix.mjs'
import { modes } from './modes.mjs'
import { printing } from './printing.mjs'
import { runAll } from './queue.mjs'
import { searching } from './searching.mjs'

const PLANT = '320505030001'
const REGULATOR = {
  overview: '/',
  alarms: '/alarms',
  alarm: '/alarms/jiangsu-a-000119',
  'alarm-escalated': '/alarms/jiangsu-a-000131',
  'alarms-shelved': '/alarms?stage=shelved',
  shelves: '/shelves',
  hazards: '/hazards',
  rules: '/rules',
  statistics: '/statistics',
  models: '/models',
  model: '/models/DUST-RISK-1.0',
  'model-edit': '/models/edit',
  replay: `/replay?enterprise=${PLANT}`,
  'replay-pick': '/replay',
  'model-lab': `/models/lab?enterprise=${PLANT}`,
  'model-back-test': '/models/lab?tab=back-test',
  'model-usage': '/models/lab?tab=usage',
  notify: '/notify',
  enterprises: '/enterprises',
  plant: `/enterprises/${PLANT}`,
  base: '/base', // F2.1
  'base-narrowed': '/base?region=320500&industry=machinery', // F2.1
  'base-file': `/base/${PLANT}`, // F2.1 一企一档
  'base-import': '/base/import', // F2.1
  'base-config': `/base/${PLANT}/config`, // F3.6
  'base-config-metric': `/base/${PLANT}/config?type=Metric&key=${PLANT}C002P0101`, // F3.6
  'base-config-new': `/base/${PLANT}/config?type=Collector&key=new`, // F3.6
  tables: '/tables?table=cleaning_method', // A1.6
  'limit-admin': '/limits', // F1.1
  warnings: '/warnings',
  warning: '/warnings/jiangsu-w-000021',
  'spot-checks': '/spot-checks',
  analysis: '/analysis', // F2.5
  reports: '/reports', // F2.5
  'analysis-findings': '/analysis/findings/collector_required', // F2.5
  'analysis-issues': '/analysis/issues/gaps', // F2.5
  federation: '/federation',
  denied: '/enterprises/forbidden',
}
const ENTERPRISE = {
  live: '/',
  alarms: '/alarms',
  alarm: '/alarms/jiangsu-a-000131',
  warnings: '/warnings',
  warning: '/warnings/jiangsu-w-000021',
  risk: '/risk',
  cleaning: '/cleaning',
  'spot-checks': '/spot-checks',
  shelves: '/shelves',
  'shelf-form': `/shelves?collector=${PLANT}C002`,
  config: '/config', // F3.6
  'config-list': '/config?type=Collector', // F3.6
  'config-record': `/config?type=Collector&key=${PLANT}C002`, // F3.6
  limits: '/limits',
  limit: `/limits/${PLANT}C002T0101`,
  rules: '/rules',
  hazards: '/hazards',
  notify: '/notify',
  replay: '/replay',
  video: '/video', // F3.2
}
const PROVINCE = { overview: '/', federation: '/federation' }
const only = process.argv[2] ?? '' // a part of a page's or a scenario's name
const complaints = []
const sites = []
const browser = await launch()

/** A site of its own: what is done in one does not show in another. */
function site(id, hostile = false) {
  const made = new Site(id, { hostile })
  sites.push(made)
  return made
}

/** What is done in pages, each on a world of its own, and which clauses it is about. */
const SCENARIOS = {
  loop: { of: 'jiangsu', does: loop, clauses: ['F2.2', 'F2.4', 'F2.5', 'F3.3', 'F3.5'] },
  benches: { of: 'jiangsu', does: benches, clauses: ['F1.2', 'F2.2', 'F2.3'] },
  searching: { of: 'jiangsu', does: searching, clauses: ['F2.4'] },
  modes: { of: 'jiangsu', does: modes, clauses: [] },
  printing: { of: 'jiangsu', does: printing, clauses: ['F2.1', 'F2.4'] },
  walls: { of: 'ministry', does: walls, clauses: ['F2.3'] },
}

/** A scenario as a task of the queue; what is wrong with it is its own. */
async function play([name, { of, does, clauses }]) {
  const wrong = []
  await does(browser, site(of), wrong).catch((e) => wrong.push(e.stack))
  record(`${name}, step by step`, clauses, !wrong.length)
  complaints.push(...wrong)
}

const chosen = ({ portal, pages }, prefix) =>
  Object.fromEntries(Object.entries(pages).filter(([name]) => `${prefix}${portal}-${name}`.includes(only)))

async function portals(hostile) {
  const [ministry, jiangsu] = [site('ministry', hostile), site('jiangsu', hostile)]
  const all = [
    { portal: 'regulator', pages: REGULATOR, base: await ministry.listen('regulator'), login: 'bu01', size: 'desk' },
    {
      portal: 'enterprise',
      pages: ENTERPRISE,
      base: await jiangsu.listen('enterprise'),
      login: 'm0001',
      size: 'phone',
    },
    { portal: 'province', pages: PROVINCE, base: await jiangsu.listen('regulator'), login: 'ji01', size: 'phone' },
  ]
  return all.map((of) => ({ ...of, pages: chosen(of, hostile ? 'hostile-' : '') }))
}

try {
  const looks = (await portals(false)).map((of) => everyPage(browser, of, complaints))
  const harm = (await portals(true)).flatMap((of) => harmless(browser, of, complaints))
  const scenarios = Object.entries(SCENARIOS).filter(([name]) => name.includes(only))
  await runAll([...scenarios.map((s) => () => play(s)), ...looks.flatMap(({ tasks }) => tasks), ...harm], (e) =>
    complaints.push(e.stack),
  )
  for (const { note } of looks) note()
} finally {
  await browser.close()
  for (const made of sites) made.close()
}
for (const c of [...new Set(complaints)]) console.error('-', c)
console.log(complaints.length ? 'pages: something is wrong' : `pages: all looked at, pictures in ${SHOTS}`)
if (!only) await keep('screens')
process.exitCode = complaints.length ? 1 : 0
