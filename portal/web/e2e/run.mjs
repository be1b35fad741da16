// Everything that is tested in a browser, as quickly as the cores allow: the demonstration is walked beside the rest, because it mostly waits
// for alarms; pages share the cores among themselves; the other scripts run as many at a time as there are cores. Fails when one of them fails.
import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { NOTES } from './clauses.mjs'
import { runAll } from './queue.mjs'

const REST = ['accounts', 'offline', 'basedata', 'dialogs']
const failed = []

/** Runs a script and says at its end, in one piece, what it said. */
function run(name) {
  const started = Date.now()
  const said = []
  const child = spawn(process.execPath, [fileURLToPath(new URL(`${name}.mjs`, import.meta.url))])
  child.stdout.on('data', (part) => said.push(part))
  child.stderr.on('data', (part) => said.push(part))
  return new Promise((resolve) => {
    child.once('error', (e) => said.push(Buffer.from(`${e.message}\n`)))
    child.once('close', (code) => {
      if (code !== 0) failed.push(name)
      process.stdout.write(Buffer.concat(said))
      console.log(`${name}: ${Math.round((Date.now() - started) / 1000)} s${code === 0 ? '' : ', FAILED'}`)
      resolve()
    })
  })
}

await rm(NOTES, { recursive: true, force: true }) // of a run before
const walked = run('walk')
await run('screens')
await runAll(
  REST.map((name) => () => run(name)),
  (e) => failed.push(e.message),
)
await walked
await run('clauses')
if (failed.length) console.error(`failed: ${failed.join(', ')}`)
process.exitCode = failed.length ? 1 : 0
