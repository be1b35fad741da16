// What a plant reads out of its risk: jumps over levels, and where a factor's evidence leads.
import type { Level, RiskResult } from '../api'
import { levelRank } from './composition'

export interface Jump {
  time: number
  from: Level
  to: Level
}

/** Rises over two levels or more from one judgement to the next, the newest first. */
export function jumpsOf(history: readonly RiskResult[] | undefined, least = 2): Jump[] {
  const line = [...(history ?? [])].sort((a, b) => a.time - b.time)
  const out: Jump[] = []
  line.forEach((r, i) => {
    const from = line[i - 1]?.level ?? r.previous_level
    if (from && levelRank(r.level) - levelRank(from) >= least) out.push({ time: r.time, from, to: r.level })
  })
  return out.reverse()
}

export interface Evidence {
  kind: 'alarm' | 'reading' | 'other'
  to: string
  id: string
}

const METRIC = /^\d{12}C\d{3}[A-Z]\d{4}$/

/** Where evidence leads: a metric's readings, an alarm, or nowhere. Keys come bare or with their record's type before them. */
export function evidenceOf(key: string): Evidence {
  const [type, rest] = key.includes('/') ? [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)] : ['', key]
  if (type === 'Metric' || (!type && METRIC.test(rest)))
    return { kind: 'reading', to: `/limits/${encodeURIComponent(rest)}`, id: rest }
  if (type === 'Alarm' || (!type && /-a-|A\d{6,}/i.test(rest)))
    return { kind: 'alarm', to: `/alarms/${encodeURIComponent(rest)}`, id: rest }
  return { kind: 'other', to: '', id: key }
}
