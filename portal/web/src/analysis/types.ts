// What the analysis routes answer, under the names its pages know it by.
export type {
  Analysis,
  AnalysisDay,
  AnalysisTrend,
  FindingRow,
  IssueRow,
  PartView as RegionPart,
  QualityRuleView as BaseRule,
} from '../schema/regulator'
