// How the scripts of a first load are cut into files. A site speaks HTTP/1.1, so that every file costs a phone a round trip: what both
// portals begin with is one file, what each begins with beside that another. Pages that are opened later are cut by the bundler.
import type { Rolldown } from 'vite'

const MAIN = /\/src\/(enterprise|regulator)\/main\.ts$/

/** Which portals load a module at once: those whose main.ts imports it, or imports what imports it. */
function portalsOf(id: string, info: Rolldown.GetModuleInfo, seen = new Set<string>()): Set<string> {
  const portal = MAIN.exec(id)?.[1]
  if (portal) return new Set([portal])
  if (seen.has(id)) return new Set()
  seen.add(id)
  return new Set((info(id)?.importers ?? []).flatMap((by) => [...portalsOf(by, info, seen)]))
}

const group = (name: string, has: (portals: Set<string>) => boolean): Rolldown.CodeSplittingGroup => ({
  name: (id, context) => {
    if (MAIN.test(id)) return null // stays with the page, whose name the manifest knows
    return has(portalsOf(id, (of) => context.getModuleInfo(of))) ? name : null
  },
  debugName: name,
  tags: ['$initial'],
})

/** What both need goes first: a group takes along what its modules import. */
export const groups = [
  group('start', (portals) => portals.size > 1),
  group('enterprise', (portals) => portals.has('enterprise')),
  group('regulator', (portals) => portals.has('regulator')),
]
