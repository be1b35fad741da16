// The tree of authorities as rows.
import type { Org } from '../api'

export interface OrgRow {
  org: Org
  depth: number
}

/** Wholes before their parts, by code. An authority whose whole is out of sight stands at the top; a ring cannot hide one. */
export function treeOf(orgs: readonly Org[]): OrgRow[] {
  const known = new Set(orgs.map((o) => o.code))
  const parts = new Map<string, Org[]>()
  for (const o of [...orgs].sort((a, b) => a.code.localeCompare(b.code))) {
    const above = o.parent && known.has(o.parent) ? o.parent : ''
    parts.set(above, [...(parts.get(above) ?? []), o])
  }
  const rows: OrgRow[] = []
  const seen = new Set<string>()
  const walk = (org: Org, depth: number): void => {
    if (seen.has(org.code)) return
    seen.add(org.code)
    rows.push({ org, depth })
    for (const p of parts.get(org.code) ?? []) walk(p, depth + 1)
  }
  for (const o of parts.get('') ?? []) walk(o, 0)
  for (const o of orgs) walk(o, 0)
  return rows
}
