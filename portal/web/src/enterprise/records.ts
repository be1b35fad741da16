// What the plant's newer pages read: fields and records that stand beside those of api.ts.
import type { Limits, Priority } from '../api'

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
