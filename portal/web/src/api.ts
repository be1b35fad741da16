// What the portal's HTTP API says (docs: /api/docs). Records keep the field names of schema/proto/dusthub/v1/records.proto;
// a field that is zero is absent. Times are ms since 1970, codes are strings of the code tables.

export type Level = 'red' | 'orange' | 'yellow' | 'blue'
export const LEVELS: readonly Level[] = ['red', 'orange', 'yellow', 'blue']
export type LevelCounts = Partial<Record<Level, number>>

export type Role =
  | 'ministry_regulator'
  | 'province_regulator'
  | 'plant_manager'
  | 'plant_worker'
  | 'site_admin'
  | 'security_admin'
  | 'audit_admin'

export interface Session {
  user: {
    login: string
    name: string
    role: Role
    region?: string
    enterprise?: string
    enterprise_name?: string
    second_factor?: boolean
    recovery?: number
  }
  portal: 'regulator' | 'enterprise'
  site: { id: string; name: string; level: 'ministry' | 'province' | 'city'; region?: string }
  csrf: string
  expires: number
  /** what must be done before anything else is open */
  due?: 'password' | 'second_factor'
}

export interface Dust {
  dust: string
  daily_yield_kg?: number
  mie_mj?: number
  kst?: number
}

export interface Enterprise {
  code: string
  uscc?: string
  name: string
  region: string
  address?: string
  lng?: number
  lat?: number
  industry?: string
  mem_industry?: string
  scale?: string
  employees?: number
  dust_workers?: number
  max_shift_workers?: number
  safety_head?: string
  safety_phone?: string
  production_state?: string
  access_state?: string
  dusts?: Dust[]
}

export interface DustSystem {
  code: string
  name: string
  mode?: string
  process?: string
}

export interface Collector {
  code: string
  system: string
  name: string
  type: string
  location?: string
  air_volume_m3h?: number
  measures?: string[]
}

export interface Limits {
  ll?: number
  l?: number
  h?: number
  hh?: number
  fault_state?: number
  fault_level?: number
}

export interface Metric {
  code: string
  kind: string
  name: string
  unit?: string
  range_lo?: number
  range_hi?: number
  limits?: Limits
  period_s?: number
}

export type MetricState = 'normal' | 'l' | 'll' | 'h' | 'hh' | 'fault' | 'stale' | 'none'

export interface MetricView {
  metric: Metric
  kind_name?: string
  value?: number
  time?: number
  quality?: number
  state?: MetricState
  fresh_s?: number
  signal?: 'AI' | 'DI'
}

export interface CollectorView {
  collector: Collector
  type_name?: string
  wet?: boolean
  metrics?: MetricView[]
}

export interface SystemView {
  system: DustSystem
  collectors?: CollectorView[]
}

export interface GatewayView {
  gateway: { code: string; name?: string; door?: string }
  state?: 'online' | 'offline' | 'source_lost'
  since?: number
}

export interface Step {
  action: string
  actor?: string
  actor_name?: string
  time?: number
  text?: string
  cause?: string
  attachments?: string[]
}

export type AlarmStage = 'raised' | 'acknowledged' | 'disposed' | 'fed_back' | 'closed' | 'false_alarm'

export interface Alarm {
  id: string
  enterprise: string
  system?: string
  collector?: string
  metric?: string
  gateway?: string
  kind?: string
  rule: string
  level: number
  limit?: number
  value?: number
  peak?: number
  unit?: string
  onset: number
  raised?: number
  returned?: number
  condition: 'active' | 'returned'
  stage: AlarmStage
  stage_due?: number
  overdue?: boolean
  cause?: string
  previous?: string
  steps?: Step[]
  suppressed?: boolean
}

export interface AlarmView {
  alarm: Alarm
  enterprise_name?: string
  metric_name?: string
  collector_name?: string
  rule_name?: string
  /** the site it belongs to: only there it can be acted on */
  origin?: string
  /** when this site came to know of it */
  here?: number
}

export interface Factor {
  code: string
  name?: string
  raw?: string
  score_milli?: number
  weight_milli?: number
  contribution_milli?: number
  clause?: string
  evidence?: string[]
}

export interface RiskResult {
  enterprise: string
  time: number
  model?: string
  level: Level
  previous_level?: Level
  index_milli?: number
  inherent_milli?: number
  dynamic_milli?: number
  management_milli?: number
  floor?: string
  factors?: Factor[]
  cause?: string
}

export type WarningStage = 'raised' | 'disposed' | 'fed_back' | 'closed'

export interface Warning {
  id: string
  enterprise: string
  from_level: Level
  to_level: Level
  double_jump?: boolean
  index_milli?: number
  floor?: string
  top?: Factor[]
  receivers?: string[]
  raised: number
  due?: number
  overdue?: boolean
  stage: WarningStage
  level_back?: number
  closed?: number
  steps?: Step[]
  accepted?: number
}

export interface WarningView {
  warning: Warning
  enterprise_name?: string
  origin?: string
  here?: number
}

export interface CleaningPlan {
  id: string
  enterprise: string
  workshop?: string
  item: string
  cycle: string
  method: string
  responsible?: string
  disabled?: boolean
}

export interface CleaningRecord {
  id: string
  enterprise?: string
  plan: string
  item: string
  person: string
  time: number
  photos: string[]
  lng?: number
  lat?: number
  note?: string
}

export interface Cleaning {
  plans?: CleaningPlan[]
  records?: CleaningRecord[]
}

export interface SpotCheck {
  id: string
  enterprise: string
  title: string
  text?: string
  issued?: number
  due?: number
  issuer?: string
  issuer_site?: string
  stage: 'issued' | 'answered' | 'ordered' | 'rectified' | 'closed'
  steps?: Step[]
  findings?: Finding[]
  order?: string
  ordered?: number
  rectify_due?: number
  draw?: Draw
  inspectors?: string[]
}

export interface Finding {
  text: string
  clause?: string
  grave?: boolean
  attachments?: string[]
  actor?: string
  time?: number
}

export interface Draw {
  id?: string
  seed: string
  criteria?: string
  pool?: number
  pool_digest?: string
  drawn?: number
  place?: number
}

export interface DrawnView {
  place: number
  enterprise: string
  enterprise_name?: string
  region_name?: string
  inspectors?: string[]
  spot_check?: string
}

export interface DrawView {
  id?: string
  seed: string
  criteria?: string
  pool: number
  pool_digest: string
  drawn: DrawnView[]
}

export interface SpotCheckAnswer {
  id: string
  text: string
  actor?: string
  time?: number
  attachments?: string[]
}

export interface SpotCheckView {
  spot_check: SpotCheck
  enterprise_name?: string
  answers?: SpotCheckAnswer[]
  origin?: string
}

export interface Camera {
  gb_id: string
  name?: string
  site?: string
}

export interface Attachment {
  id: string
  name?: string
  media_type?: string
  size?: number
}

export interface RegionView {
  region: string
  name: string
  enterprises?: number
  levels?: LevelCounts
  alarms_open?: number
  warnings_open?: number
  worst?: Level
}

export interface IndustryView {
  industry: string
  name?: string
  enterprises?: number
  online?: number
  levels?: LevelCounts
  alarms_open?: number
  alarms_overdue?: number
  warnings_open?: number
  warnings_overdue?: number
  worst?: Level
}

export interface RankView {
  enterprise: string
  name: string
  region?: string
  region_name?: string
  level?: Level
  index_milli?: number
  alarms_open?: number
  warnings_open?: number
  online?: boolean
}

export interface TrendPoint extends LevelCounts {
  time: number
}

export interface Overview {
  time: number
  enterprises?: number
  connected?: number
  online?: number
  levels?: LevelCounts
  alarms?: { open?: number; level1?: number; level2?: number; overdue?: number; today?: number }
  warnings?: { open?: number; overdue?: number; today?: number }
  regions?: RegionView[]
  by_industry?: IndustryView[]
  ranking?: RankView[]
  dust?: { category: string; name: string; count: number }[]
  trend?: TrendPoint[]
  latest_alarms?: AlarmView[]
}

export interface EnterpriseView {
  enterprise: Enterprise
  region_name?: string
  industry_name?: string
  level?: Level
  index_milli?: number
  online?: boolean
  alarms_open?: number
  warnings_open?: number
  origin?: string
  dust_names?: string[]
  collectors?: number
}

export interface PlantView {
  enterprise: Enterprise
  region_name?: string
  origin?: string
  online?: boolean
  gateways?: GatewayView[]
  systems?: SystemView[]
  alarms?: AlarmView[]
  warnings?: WarningView[]
  risk?: RiskResult | null
  cleaning?: Cleaning
  spot_checks?: SpotCheckView[]
  cameras?: Camera[]
}

export interface Page<T> {
  items?: T[]
  next?: string
  total?: number
}

export interface Series {
  metric: string
  unit?: string
  step?: number
  buckets?: { start: number; count: number; min: number; max: number; sum: number; last: number }[]
  points?: [number, number, number][]
}

export interface Lane {
  lane: string
  origin?: string
  position?: number
  head?: number
  lag?: number
  lag_s?: number
  moved?: number
  checkpoint?: number
}

export interface Replica {
  id?: string
  addr?: string
  leader?: boolean
  self?: boolean
  voter?: boolean
}

export interface Quarantine {
  id: string
  source: string
  door?: string
  time?: number
  violations?: Violation[]
  count?: number
}

export interface Federation {
  self: {
    site: { id: string; name: string; level?: string; region?: string }
    epoch?: number
    seq?: number
    digest?: string
    checkpoint_seq?: number
    leader?: string
    leading?: boolean
    replicas?: Replica[]
  }
  parent?: { site: string; connected?: boolean; lanes?: Lane[] } | null
  children?: {
    site: { id: string; name: string; level?: string; region?: string }
    connected?: boolean
    last_seen?: number
    version?: string
    certificate_days_left?: number
    lanes?: Lane[]
    quarantined?: number
  }[]
  quarantine?: Quarantine[]
}

export interface Violation {
  record?: string
  field?: string
  rule?: string
  got?: string
  wanted?: string
  warning?: boolean
}

/** The body of a refusal, RFC 9457. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  code?: string
  errors?: { location?: string; message?: string }[]
  violations?: Violation[]
}

/** What the live stream announces. */
export interface Change {
  type: string
  key: string
  origin?: string
  enterprise?: string
  seq?: number
  time?: number
}

export interface Latest {
  enterprise: string
  values: { metric: string; time: number; value: number; quality?: number }[]
}

// ---- the regulators' further pages: escalation, shelves, rules, hazards, models, statistics, notices, replay ----

export type Priority = 'critical' | 'high' | 'medium' | 'low'
export const PRIORITIES: readonly Priority[] = ['critical', 'high', 'medium', 'low']

/** What an alarm says of its urgency and of who has been called. */
export interface Alarm {
  priority?: Priority
  escalation?: number
  escalate_due?: number
  shelf?: string
  combined?: string
  text?: string
  calls?: number
  remind_due?: number
  since?: number
}

export interface Shelf {
  id: string
  enterprise: string
  collector?: string
  metric?: string
  kind: 'maintenance' | 'out_of_service' | 'design'
  reason: string
  from: number
  until: number
  stage: 'requested' | 'approved' | 'refused' | 'ended'
  actor: string
  steps?: Step[]
  condition?: string
}

export interface ShelfView {
  shelf: Shelf
  enterprise_name?: string
  collector_name?: string
  metric_name?: string
  kind_name?: string
  in_force?: boolean
  origin?: string
}

export interface Hazard {
  id: string
  enterprise: string
  code: string
  evidence?: string[]
  found: number
  due?: number
  overdue?: boolean
  closed?: number
}

export interface HazardView {
  hazard: Hazard
  name: string
  clause?: string
  enterprise_name?: string
  region?: string
  region_name?: string
  origin?: string
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
  enterprise_name?: string
  origin?: string
}

export interface RuleCheck {
  ok: boolean
  error?: string
  line?: number
  column?: number
  metrics?: string[]
}

export interface ModelEntry {
  version: string
  title?: string
  active?: boolean
  configured?: boolean
  publisher?: string
  published?: number
  note?: string
  origin?: string
  signature: 'ok' | 'bad' | 'none'
  reason?: string
}

export interface ModelProblem {
  line: number
  reason: string
}

export interface ModelFactor {
  code: string
  name: string
  weight: number
  clause?: string
  source?: string
  confidence?: string
  when?: string
  score?: string
}

export interface ModelFloor {
  code: string
  level: Level
  text: string
  clause?: string
  source?: string
  confidence?: string
  after_s?: number
}

export interface ModelNumber {
  path: string
  value: string
  line: number
  source?: string
  clause?: string
  confidence: string
}

export interface ModelView {
  version: string
  title?: string
  weights: { inherent: number; dynamic: number; management: number }
  bands: { red: number; orange: number; yellow: number }
  inherent: ModelFactor[]
  dynamic: ModelFactor[]
  management: ModelFactor[]
  floors: ModelFloor[]
  feedback_s?: Record<string, number>
  numbers: ModelNumber[]
}

export interface ModelDetail extends ModelEntry {
  document: string
  problems: ModelProblem[]
  view?: ModelView
}

export interface AlarmStatistics {
  from: number
  to: number
  alarms: number
  per_operator_hour: number
  peak_10min?: { at: number; count: number }
  flood_share?: number
  floods?: { from: number; to: number; count: number; peak: number }[]
  by_priority?: { priority: Priority; count: number; share: number; target_share: number }[]
  by_metric?: { metric: string; name: string; enterprise_name?: string; count: number; cumulative: number }[]
  by_enterprise?: { enterprise: string; name: string; count: number; share: number; cumulative: number }[]
  by_hour?: number[]
  chattering?: { metric: string; name: string; enterprise: string; rule: string; count: number; shortest_ms?: number }[]
  fleeting?: { metric: string; name: string; enterprise: string; rule: string; count: number; shortest_ms?: number }[]
  standing?: { alarm: string; metric: string; name: string; enterprise: string; since: number; hours: number }[]
  responses?: Partial<
    Record<'ack_ms' | 'dispose_ms' | 'close_ms', { p50: number; p90: number; p99: number; n: number }>
  > & {
    overdue?: number
    escalated?: number
  }
  verdicts?: {
    code: string
    name: string
    value: number
    unit?: string
    limit: number
    ok: boolean
    source?: string
    confidence?: string
  }[]
}

export interface AlarmTrend {
  step: string
  points?: { at: number; count: number; high: number; flood: boolean }[]
}

/** A record as it stood from a time on. */
export interface Version<T> {
  time: number
  record: T
}

/** One way in which an interval judged again is not what the record says. */
export interface Difference {
  what: 'alarm' | 'risk' | 'warning' | 'action' | 'more'
  time: number
  record?: string
  field?: string
  recorded?: string
  judged?: string
}

/** An interval of a plant: as it was, or as judged again. */
export interface Replayed {
  enterprise: string
  from: number
  to: number
  /** versions by which it was judged, with commas between */
  model?: string
  samples?: { metric: string; points?: [number, number, number][] | null }[] | null
  /** readings are thinned to one in so long; 0: all are here */
  step_ms?: number
  alarms?: Version<Alarm>[] | null
  risk?: Version<RiskResult>[] | null
  warnings?: Version<Warning>[] | null
  /** alarms that were open at the beginning */
  open?: Alarm[] | null
  /** at the beginning */
  level?: Level | ''
  actions?: { time: number; actor: string; record: string; action: string; text?: string }[] | null
  start?: number
  whole?: boolean
  differences?: Difference[] | null
}

// ---- the risk model as a service ----

export interface ModelResult {
  model: string
  level: Level
  band: Level
  floor?: string
  index_milli: number
  inherent_milli: number
  dynamic_milli: number
  management_milli: number
  factors?: Factor[] | null
}

export interface WhatIf {
  enterprise: string
  before: ModelResult
  after: ModelResult
  changed?: { factor: string; name: string; before: number; after: number }[] | null
}

export type InputValue = number | string | boolean

export interface Explanation {
  enterprise: string
  time?: number
  level?: Level | ''
  result: ModelResult
  inputs?: { name: string; zh: string; value: InputValue; unit?: string; evidence?: string[] }[] | null
  floors?: { code: string; level: Level; text: string; clause?: string; evidence?: string[] }[] | null
  sentences?: string[] | null
  lowers?: { factor: string; what: string; by: number; level: Level }[] | null
}

export interface ModelUse {
  id: string
  day: string
  caller: string
  operation: string
  model: string
  calls?: number
  plants?: number
  refused?: number
  cpu_ms?: number
}

interface Both<T> {
  running: T
  draft: T
}

export interface BackTest {
  plants: number
  failed?: number
  differ: number
  changed?: { enterprise: string; name: string; running: Level | ''; draft: Level | ''; at: number }[] | null
  warnings: Both<number>
  levels: Both<LevelCounts>
  models: Both<string>
}

export interface OpenSession {
  id: string
  login: string
  portal: 'regulator' | 'enterprise'
  created: number
  seen: number
  expires: number
  address?: string
  agent?: string
  current?: boolean
}

export interface Enrolment {
  secret: string
  uri: string
  qr: string
  sealed: string
}

export interface User {
  login: string
  name: string
  role: Role
  region?: string
  enterprise?: string
  org?: string
  disabled?: boolean
  second_factor?: boolean
}

export interface Org {
  code: string
  name: string
  region?: string
  parent?: string
}

export interface AuditEntry {
  id: string
  time: number
  actor?: string
  action: string
  subject?: string
  result?: string
  address?: string
  before?: string
  after?: string
  reason?: string
}
