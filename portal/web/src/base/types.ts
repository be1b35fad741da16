// What the API says of base data, under the names these pages know it by.
import type { DictionaryEntry, DictionaryField, RecordRow as Row, VersionView } from '../schema/regulator'

export type {
  AlarmMove,
  BaseRow,
  BaseStatistics,
  CatalogueLimit,
  CellError,
  Code,
  CodeTable,
  DeviatingMetric,
  Deviations,
  DictionaryEntry,
  DictionaryField,
  Effect,
  FieldChange,
  FormView,
  ImportItem,
  ImportView,
  LimitDeviation,
  PreviewView,
  TableEffect,
  TableList,
  TableView,
  TightenView,
  WorkerBand,
} from '../schema/regulator'

/** A record by the names of the data dictionary; what is zero or empty is left out. */
export type Values = Record<string, unknown>
export type RecordRow = Omit<Row, 'record'> & { record: Values }
export type Version = Omit<VersionView, 'record'> & { record?: Values }

export interface VersionPage {
  type: string
  key: string
  origin: string
  may: boolean
  items?: Version[]
  next?: number
}

export interface PlantFile {
  enterprise: RecordRow
  region_name: string
  origin: string
  local: boolean
  online: boolean
  level?: string
  index_milli: number
  changed: number
  parts?: { type: string; zh: string; items?: RecordRow[] }[]
  missing?: string[]
}

/** A change as POST /records takes it. */
export interface RecordChange {
  type: string
  record?: Values
  key?: string
  delete?: boolean
  create?: boolean
  seq?: number
  restore?: number
  to?: string
}

export type Dictionary = Map<string, DictionaryEntry>
export type Field = DictionaryField
