// What the portal's HTTP API says, under the names the pages know it by. The types are made of the OpenAPI description (make client),
// which is made of the handlers' own types: nothing is written down twice. Here stand the few things a description does not hold.
// Times are ms since 1970; a field that is zero, and a list that is empty, is left out.
import type {
  Alarm,
  Levels,
  MetricView,
  Problem as Refusal,
  RiskResult,
  UserView,
  VersionAlarm,
  Warning,
} from './schema/regulator'

export type {
  Alarm,
  AlarmView,
  AnalysisTrend,
  Attachment,
  AuditEntry,
  BackTest,
  BackTestLine,
  Camera,
  CaptchaView as Captcha,
  ChangeEvent as Change,
  Channel,
  ChannelTest,
  ChannelView,
  CleaningPlan,
  CleaningRecord,
  CleaningView as Cleaning,
  Collector,
  CollectorView,
  CombinedRule,
  DefaultLimit,
  Delivery,
  DeliveryView,
  Difference,
  Draw,
  DrawView,
  DrawnView,
  Dust,
  DustSystem,
  EnrolView as Enrolment,
  Enterprise,
  EnterpriseView,
  Explanation,
  Factor,
  FederationView as Federation,
  Facets,
  Finding,
  FloorView as ModelFloor,
  GatewayView,
  Given,
  Hazard,
  HazardView,
  IndustryRow as IndustryView,
  Judgement as ModelResult,
  KeyRouteView as KeyRoute,
  KeyView as Key,
  LaneLink as Lane,
  LatestEvent as Latest,
  Limits,
  LimitsView,
  LoginWays,
  LogoutView as Logout,
  Metric,
  MetricView,
  ModelCheck,
  ModelDetail,
  ModelEntry,
  ModelProblem,
  ModelUse,
  NewKeyView as NewKey,
  ModelView,
  NumberView as ModelNumber,
  OpenSession,
  Org,
  Overview,
  Past as Replayed,
  PlantView,
  Proposal,
  PushKey,
  QuarantineView as Quarantine,
  RankRow as RankView,
  RecoveryView,
  RegionRow as RegionView,
  RegionStep,
  Replica,
  RevealedValue as Revealed,
  Result as AlarmStatistics,
  RiskResult,
  RuleCheck,
  RuleView,
  SavedSearch,
  Series as AlarmTrend,
  SeriesView as Series,
  SessionView as Session,
  Shelf,
  ShelfView,
  SpotCheck,
  SpotCheckAnswer,
  SpotCheckView,
  SsoView as ProviderLogin,
  Step,
  SystemView,
  TrendPoint,
  UserView as User,
  Violation,
  Warning,
  WarningView,
  WhatIf,
} from './schema/regulator'

/** The body of a refusal, RFC 9457, as far as there is one: what did not come from the site has a title alone. */
export type Problem = Partial<Refusal>

export type Level = RiskResult['level']
export const LEVELS: readonly Level[] = ['red', 'orange', 'yellow', 'blue']
export type LevelCounts = Partial<Levels>

export type Priority = NonNullable<Alarm['priority']>
export const PRIORITIES: readonly Priority[] = ['critical', 'high', 'medium', 'low']

export type AlarmStage = Alarm['stage']
export type WarningStage = Warning['stage']
export type Role = UserView['role']
export type MetricState = MetricView['state']

/** A page of a list, newest first where not said otherwise. */
export interface Page<T> {
  items?: T[]
  /** where the next page begins; absent on the last */
  next?: string
  total?: number
}

/** A record as it stood from a time on. */
export type Version<T> = Omit<VersionAlarm, 'record'> & { record: T }

/** What an input of the risk model can be. */
export type InputValue = number | string | boolean
