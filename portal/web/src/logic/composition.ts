// What a risk index is made of, ordered and grouped for words.
import type { Factor, Level, RiskResult } from '../api'

export type Part = 'inherent' | 'dynamic' | 'management'

/** Which part of the index a factor belongs to, by its code: H1, D.1.T01, M2. */
export function partOf(code: string): Part {
  if (code.startsWith('H')) return 'inherent'
  return code.startsWith('D') ? 'dynamic' : 'management'
}

/** System number and metric kind of a dynamic factor: D.2.T01 -> 2, T01. */
export function signalOf(code: string): { system: number; kind: string } | undefined {
  const match = /^D\.(\d+)\.(\w+)$/.exec(code)
  return match ? { system: Number(match[1]), kind: match[2] ?? '' } : undefined
}

export interface Share {
  factor: Factor
  part: Part
  points: number // thousandths of the index
  percent: number // of the index, whole
}

/** The factors that add to the index, the greatest first. */
export function shares(factors: readonly Factor[] | undefined, index: number | undefined): Share[] {
  return (factors ?? [])
    .filter((f) => (f.contribution_milli ?? 0) > 0)
    .map((factor) => {
      const points = factor.contribution_milli ?? 0
      return { factor, part: partOf(factor.code), points, percent: index ? Math.round((points / index) * 100) : 0 }
    })
    .sort((a, b) => b.points - a.points || a.factor.code.localeCompare(b.factor.code))
}

/** How many points each part adds; what is not explained by factors is left out. */
export function parts(factors: readonly Factor[] | undefined): Record<Part, number> {
  const sum: Record<Part, number> = { inherent: 0, dynamic: 0, management: 0 }
  for (const f of factors ?? []) sum[partOf(f.code)] += f.contribution_milli ?? 0
  return sum
}

/** The level that the index alone gives (bands of DUST-RISK-1.0), to say when a floor rule lifted it. */
export function bandOf(index: number): Level {
  if (index >= 75_000) return 'red'
  if (index >= 55_000) return 'orange'
  return index >= 35_000 ? 'yellow' : 'blue'
}

const RANK: Record<Level, number> = { blue: 0, yellow: 1, orange: 2, red: 3 }

export const levelRank = (level: Level | undefined): number => (level ? RANK[level] : -1)

/** Whether a floor rule, not the index, is why the level is what it is. */
export function liftedByFloor(risk: Pick<RiskResult, 'level' | 'index_milli' | 'floor'>): boolean {
  return Boolean(risk.floor) && levelRank(risk.level) > levelRank(bandOf(risk.index_milli ?? 0))
}

/** The factor that explains most of what can be acted on now: dynamic and management before what the plant is. */
export function mainReason(factors: readonly Factor[] | undefined, index: number | undefined): Share | undefined {
  const all = shares(factors, index)
  return all.find((s) => s.part !== 'inherent') ?? all[0]
}
