// Which clauses of the requirements a browser test is about. Tests write what they saw to artifacts/browser; `node e2e/clauses.mjs` makes a
// table of it, and fails when a clause of F1.1 to F3.7 has no test that passed.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const OUT = fileURLToPath(new URL('../../../artifacts/', import.meta.url))
/** Where each script writes what it saw. */
export const NOTES = `${OUT}browser/`

export const CLAUSES = {
  'F1.1': '动态监测监控数据',
  'F1.2': '风险分级预警模型',
  'F2.1': '基础信息',
  'F2.2': '监测报警',
  'F2.3': '风险研判',
  'F2.4': '在线抽查',
  'F2.5': '综合分析',
  'F3.1': '企业实时状态',
  'F3.2': '企业视频监控',
  'F3.3': '企业监测报警',
  'F3.4': '企业风险预警',
  'F3.5': '企业清扫记录',
  'F3.6': '企业配置管理',
  'F3.7': '移动端',
}

/** Pages by the beginning of their path, and what they are for. */
const PAGES = {
  regulator: [
    [/^\/$/, 'F2.1', 'F2.3'],
    [/^\/screen/, 'F2.1', 'F2.3'],
    [/^\/(alarms|shelves|rules|statistics|notify)/, 'F2.2'],
    [/^\/(warnings|hazards|models|replay)/, 'F1.2', 'F2.3'],
    [/^\/(base|tables|import)/, 'F2.1'],
    [/^\/limits/, 'F1.1'],
    [/^\/enterprises$/, 'F2.1', 'F2.4'],
    [/^\/enterprises\//, 'F1.1', 'F2.1', 'F2.2', 'F2.4'],
    [/^\/spot-checks/, 'F2.4'],
    [/^\/(analysis|reports)/, 'F2.5'],
  ],
  province: [[/^\/$/, 'F2.1', 'F2.3']],
  enterprise: [
    [/^\/$/, 'F1.1', 'F3.1'],
    [/^\/video/, 'F3.2'],
    [/^\/alarms/, 'F3.3'],
    [/^\/(warnings|risk|hazards|replay|spot-checks)/, 'F1.2', 'F3.4'],
    [/^\/cleaning/, 'F3.5'],
    [/^\/(limits|rules|shelves|config|notify)/, 'F3.6'],
    [/./, 'F3.7'],
  ],
}

export const clausesOf = (portal, page) =>
  [...new Set(PAGES[portal].filter(([at]) => at.test(page)).flatMap(([, ...clauses]) => clauses))].sort()

const seen = []

/** Notes a test that ran. Clause ids may also stand in its name. */
export function record(name, clauses, ok) {
  const named = name.match(/\b[FT]\d(\.\d)?\b/g) ?? []
  seen.push({ name, clauses: [...new Set([...clauses, ...named])].sort(), ok })
}

/** Writes what was noted, under the name of the script that ran. */
export async function keep(script) {
  await mkdir(NOTES, { recursive: true })
  await writeFile(`${NOTES}${script}.json`, JSON.stringify(seen, null, 1))
}

async function table() {
  const files = await readdir(NOTES).catch(() => [])
  const tests = []
  for (const file of files) {
    const script = path.basename(file, '.json')
    tests.push(...JSON.parse(await readFile(NOTES + file, 'utf8')).map((t) => ({ ...t, script })))
  }
  const lines = ['| clause | | browser tests |', '| --- | --- | --- |']
  const missing = []
  for (const [clause, title] of Object.entries(CLAUSES)) {
    const mine = tests.filter((t) => t.clauses.includes(clause))
    if (!mine.some((t) => t.ok)) missing.push(clause)
    lines.push(
      `| ${clause} | ${title} | ${mine.map((t) => `${t.ok ? '' : 'FAILED '}${t.script}: ${t.name}`).join('<br>') || '**none**'} |`,
    )
  }
  await writeFile(`${OUT}clauses.md`, `${lines.join('\n')}\n`)
  const failed = tests.filter((t) => !t.ok).length
  if (missing.length) console.error('- no browser test that passed:', missing.join(', '))
  console.log(`${tests.length - failed} passed, ${failed} failed`)
  process.exitCode = missing.length || failed ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await table()
