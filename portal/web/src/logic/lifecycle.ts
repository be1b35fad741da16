// The life of an alarm, a warning and a spot check, as the pages show it. What is allowed is decided by the site; these rules only
// keep a page from offering what would be refused.
import type { Alarm, SpotCheckView, Step, Warning } from '../api'

export const ALARM_STAGES = ['raised', 'acknowledged', 'disposed', 'fed_back', 'closed'] as const
export const WARNING_STAGES = ['raised', 'disposed', 'fed_back', 'closed'] as const
export const SPOT_CHECK_STAGES = ['issued', 'answered', 'closed'] as const
export const RECTIFY_STAGES = ['issued', 'ordered', 'rectified', 'closed'] as const

export type StepState = 'done' | 'current' | 'todo'

export interface TrackStep {
  stage: string
  state: StepState
  time?: number
  who?: string
}

const ACTION_OF: Record<string, string> = {
  acknowledged: 'acknowledge',
  disposed: 'dispose',
  fed_back: 'feed_back',
  closed: 'close',
  answered: 'answer',
  ordered: 'order',
  rectified: 'rectify',
}

const last = (steps: readonly Step[] | undefined, action: string): Step | undefined =>
  (steps ?? []).filter((s) => s.action === action).at(-1)

function track(
  order: readonly string[],
  stage: string,
  born: number | undefined,
  steps: Step[] | undefined,
): TrackStep[] {
  const at = order.indexOf(stage)
  const ended = stage === order.at(-1)
  return order.map((name, i) => {
    const step = i === 0 ? undefined : last(steps, ACTION_OF[name] ?? name)
    const state: StepState = i < at || ended ? 'done' : i === at ? 'current' : 'todo'
    const time = i === 0 ? born : step?.time
    const who = step?.actor_name ?? step?.actor
    return {
      stage: name,
      state,
      ...(state !== 'todo' && time ? { time } : {}),
      ...(state !== 'todo' && who ? { who } : {}),
    }
  })
}

/** The steps of an alarm. A false alarm ends where it was recognised. */
export function alarmTrack(alarm: Alarm): TrackStep[] {
  if (alarm.stage !== 'false_alarm') return track(ALARM_STAGES, alarm.stage, alarm.raised ?? alarm.onset, alarm.steps)
  const step = last(alarm.steps, 'false_alarm')
  return [
    { stage: 'raised', state: 'done', time: alarm.raised ?? alarm.onset },
    {
      stage: 'false_alarm',
      state: 'done',
      ...(step?.time ? { time: step.time } : {}),
      ...(step ? { who: step.actor_name ?? step.actor } : {}),
    },
  ]
}

export function warningTrack(warning: Warning): TrackStep[] {
  const steps = track(WARNING_STAGES, warning.stage, warning.raised, warning.steps)
  const end = steps.at(-1)
  if (end && warning.closed) end.time = warning.closed
  return steps
}

/** The steps of a spot check. An answer counts as soon as it is here, though the issuing site may not have it yet. */
export function spotCheckTrack(view: SpotCheckView): TrackStep[] {
  const check = view.spot_check
  if (check.ordered) return track(RECTIFY_STAGES, check.stage, check.issued, check.steps)
  const answer = view.answers?.at(-1)
  const stage = check.stage === 'issued' && answer ? 'answered' : check.stage
  const steps = track(SPOT_CHECK_STAGES, stage, check.issued, check.steps)
  const answered = steps[1]
  if (answer?.time && answered && answered.state !== 'todo') answered.time = answer.time
  return steps
}

export type CheckAction = 'find' | 'order' | 'reject' | 'close'

/** What a regulator can do with a spot check now. Only the site that issued it moves it. */
export function checkActions(view: SpotCheckView, own: boolean): CheckAction[] {
  const { stage, findings } = view.spot_check
  if (!own || stage === 'closed') return []
  if (stage === 'ordered') return ['find']
  if (stage === 'rectified') return ['close', 'reject', 'find']
  return [
    ...(findings?.length ? (['order'] as const) : []),
    'find',
    ...(stage === 'answered' ? (['close'] as const) : []),
  ]
}

/** Whether the plant's word is awaited. An answer counts as soon as it is here, though the issuing site may not have it yet. */
export function checkAwaitsPlant(view: SpotCheckView): boolean {
  const { stage, ordered = 0 } = view.spot_check
  if (stage === 'ordered') return !view.answers?.some((a) => a.time > ordered)
  return stage === 'issued' && !view.answers?.length
}

export type AlarmAction = 'acknowledge' | 'dispose' | 'feed_back' | 'close' | 'reject' | 'false_alarm'

/** What a person can do with an alarm now. Only the site that owns it can act on it. */
export function alarmActions(alarm: Alarm, regulator: boolean, here: boolean): AlarmAction[] {
  if (!here || isClosed(alarm.stage)) return []
  if (!regulator) {
    switch (alarm.stage) {
      case 'raised':
        return ['acknowledge']
      case 'acknowledged':
        return ['dispose']
      case 'disposed':
        return ['feed_back']
      default:
        return []
    }
  }
  if (alarm.stage !== 'fed_back') return ['false_alarm']
  return alarm.condition === 'returned' ? ['close', 'reject', 'false_alarm'] : ['reject', 'false_alarm']
}

export type WarningAction = 'dispose' | 'feed_back' | 'accept' | 'reject'

export function warningActions(warning: Warning, regulator: boolean, here: boolean): WarningAction[] {
  if (!here) return []
  if (regulator) return warning.stage === 'fed_back' && !warning.accepted ? ['accept', 'reject'] : []
  if (warning.stage === 'raised') return ['dispose']
  return warning.stage === 'disposed' ? ['feed_back'] : []
}

export const isClosed = (stage: string): boolean => stage === 'closed' || stage === 'false_alarm'

export interface Due {
  state: 'none' | 'ok' | 'soon' | 'overdue'
  /** ms until the deadline; since it, when overdue */
  ms: number
}

const SOON_MS = 10 * 60_000

/** How a deadline stands: soon is within ten minutes. The site's word that it is overdue counts as well as the clock. */
export function due(at: number | undefined, overdue: boolean | undefined, closed: boolean, now: number): Due {
  if (closed || (!at && !overdue)) return { state: 'none', ms: 0 }
  if (!at) return { state: 'overdue', ms: 0 }
  if (overdue || now > at) return { state: 'overdue', ms: Math.max(0, now - at) }
  const ms = at - now
  return { state: ms <= SOON_MS ? 'soon' : 'ok', ms }
}
