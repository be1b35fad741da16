// How old a reading may be before it must not be taken for the present.
import type { MetricState, MetricView } from '../api'

export type Freshness = 'live' | 'late' | 'stale' | 'none'

const LIVE_PERIODS = 5
const LIVE_AT_LEAST_MS = 10_000
const LATE_PERIODS = 30
const LATE_AT_LEAST_MS = 60_000

/**
 * live: within five sampling periods, at least 10 s; late: within thirty, at least 60 s; stale: older, or said to be by the
 * server; none: never read. A reading from the future (a plant's clock that runs ahead) counts as new.
 */
export function freshness(view: MetricView, now: number): Freshness {
  if (!view.time || view.state === 'none') return 'none'
  const period = (view.metric.period_s ?? 1) * 1000
  const age = now - view.time
  if (view.state === 'stale') return 'stale'
  if (age <= Math.max(LIVE_AT_LEAST_MS, LIVE_PERIODS * period)) return 'live'
  return age <= Math.max(LATE_AT_LEAST_MS, LATE_PERIODS * period) ? 'late' : 'stale'
}

/** Whether a reading may be shown as what is so now. */
export const isNow = (f: Freshness): boolean => f === 'live' || f === 'late'

// Qualities of a reading (schema/frame) that are not good: old, from a faulty sensor, from a source that is lost.
const QUALITY_STALE = 1
const QUALITY_FAULT = 3
const QUALITY_SOURCE = 4

/** State of a value against its metric's limits; the same judgement as the site's, for values that arrive live. */
export function judge(view: MetricView, value: number, quality = 0): MetricState {
  if (quality === QUALITY_STALE || quality === QUALITY_SOURCE) return 'stale'
  if (quality === QUALITY_FAULT) return 'fault'
  const limits = view.metric.limits
  if (!limits) return 'normal'
  if (limits.fault_level && value === (limits.fault_state ?? 0)) return 'fault'
  if (limits.hh !== undefined && value >= limits.hh) return 'hh'
  if (limits.ll !== undefined && value <= limits.ll) return 'll'
  if (limits.h !== undefined && value >= limits.h) return 'h'
  if (limits.l !== undefined && value <= limits.l) return 'l'
  return 'normal'
}

export type Gravity = 'ok' | 'warn' | 'bad' | 'unknown'

/** How grave a state is: what colour and which word it gets. */
export function gravity(view: MetricView, fresh: Freshness): Gravity {
  if (!isNow(fresh)) return 'unknown'
  switch (view.state) {
    case 'hh':
    case 'll':
      return 'bad'
    case 'fault':
      return view.metric.limits?.fault_level === 1 ? 'warn' : 'bad'
    case 'h':
    case 'l':
      return 'warn'
    case 'none':
    case 'stale':
      return 'unknown'
    default:
      return 'ok'
  }
}

const RANK: Record<Gravity, number> = { ok: 0, unknown: 1, warn: 2, bad: 3 }

/** The gravest of several. */
export function worst(all: readonly Gravity[]): Gravity {
  return all.reduce<Gravity>((a, b) => (RANK[b] > RANK[a] ? b : a), 'ok')
}
