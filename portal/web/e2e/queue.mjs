// Tasks that do not depend on each other, as many at a time as the machine has cores (JOBS=n for another number).
import { availableParallelism } from 'node:os'

export const JOBS = Number(process.env.JOBS) || Math.max(2, availableParallelism())

/** Runs all tasks, the first ones first. What one of them throws is told to failed, and the others go on. */
export async function runAll(tasks, failed, jobs = JOBS) {
  const left = [...tasks]
  const worker = async () => {
    for (let task = left.shift(); task; task = left.shift()) await task().catch(failed)
  }
  await Promise.all(Array.from({ length: jobs }, worker))
}
