// What the plant's newer pages read: fields and records that stand beside those of api.ts.
import type { Alarm, Limits, Page } from '../api'

export type Priority = 'critical' | 'high' | 'medium' | 'low'

/** An alarm with how it is called: priority, rungs of escalation, reminders, shelving. */
export type CalledAlarm = Alarm & {
  priority?: Priority
  /** 0 handler, 1 safety head, 2 county, 3 city, 4 province */
  escalation?: number
  escalate_due?: number
  calls?: number
  remind_due?: number
  since?: number
  shelf?: string
  combined?: string
  text?: string
}

export type ShelfKind = 'maintenance' | 'out_of_service' | 'design'
export type ShelfStage = 'requested' | 'approved' | 'refused' | 'ended'

export interface Shelf {
  id: string
  enterprise: string
  collector?: string
  metric?: string
  kind: ShelfKind
  reason: string
  from: number
  until: number
  stage: ShelfStage
  actor?: string
  steps?: Alarm['steps']
}

export interface ShelfView {
  shelf: Shelf
  enterprise_name?: string
  collector_name?: string
  metric_name?: string
  kind_name?: string
  in_force?: boolean
  origin?: string
  here?: boolean
}

export interface FullLimits extends Limits {
  deadband?: number
  on_delay_ms?: number
  off_delay_ms?: number
  rate?: number
  stuck_ms?: number
  grave_after_ms?: number
}

export interface DefaultLimit {
  field: string
  value: number
  unit?: string
  basis?: string
  confidence?: string
}

export interface LimitsView {
  metric: string
  limits: FullLimits
  disabled?: boolean
  design?: number
  defaults?: DefaultLimit[]
  may?: { tighten?: boolean; relax?: boolean }
  history?: { id: string; time?: number; actor?: string; before?: string; after?: string; reason?: string }[]
}

export interface Proposal {
  metric: string
  from?: number
  to?: number
  samples?: number
  used?: number
  limits?: { field: string; now?: number; proposed?: number; reason?: string }[]
  warnings?: string[]
  history?: { p01?: number; p50?: number; p99?: number; min?: number; max?: number }
}

export interface CombinedRule {
  id: string
  enterprise: string
  name: string
  expression: string
  level: number
  on_delay_ms?: number
  off_delay_ms?: number
  disabled?: boolean
}

export interface RuleView {
  rule: CombinedRule
  origin?: string
  here?: boolean
}

export interface RuleCheck {
  ok: boolean
  error?: string
  line?: number
  column?: number
  metrics?: string[]
}

export interface HazardView {
  hazard: {
    id: string
    enterprise: string
    code: string
    evidence?: string[]
    found: number
    due?: number
    overdue?: boolean
    closed?: number
  }
  name?: string
  clause?: string
}

export interface Explained {
  enterprise: string
  inputs?: { name: string; value?: unknown; unit?: string; evidence?: string[] }[]
  sentences?: string[]
  lowers?: { factor: string; what: string; by?: number }[]
}

export interface ChannelView {
  channel: {
    id: string
    kind: string
    name?: string
    priority?: Priority
    quiet_from?: number
    quiet_until?: number
    disabled?: boolean
  }
  state?: { sent?: number; failed?: number; last_sent?: number; last_error?: string }
}

export interface DeliveryView {
  delivery: {
    id: string
    kind?: string
    subject?: string
    title?: string
    stage: 'queued' | 'held' | 'sent' | 'failed' | 'given_up'
    tries?: number
    error?: string
    at?: number
    sent?: number
  }
  channel_name?: string
  subject_title?: string
}

export type Shelves = Page<ShelfView>
