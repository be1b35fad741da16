// An alarm in words, the same on every page.
import type { AlarmView, Limits, Metric } from '../api'
import { useText } from '../i18n'
import { reading } from '../logic/format'

const LIMIT_OF: Record<string, keyof Limits> = { HH: 'hh', H: 'h', L: 'l', LL: 'll' }

/** The metric of an alarm with the one limit that the alarm knows: the one that was passed. */
export function metricOf(view: AlarmView | undefined): Pick<Metric, 'code' | 'name' | 'unit' | 'limits'> | undefined {
  const a = view?.alarm
  if (!a?.metric) return undefined
  const limit = LIMIT_OF[a.rule]
  return {
    code: a.metric,
    name: view?.metric_name ?? '',
    unit: a.unit ?? '',
    ...(limit && a.limit !== undefined ? { limits: { [limit]: a.limit } } : {}),
  }
}

export function useAlarmWords() {
  const { t, code } = useText()

  const isDigital = (v: AlarmView): boolean => !v.alarm.unit || v.alarm.unit === '0/1'

  /** What is wrong: point and rule. */
  function what(v: AlarmView): string {
    const point = v.alarm.kind ? code('metric', v.alarm.kind, v.metric_name) : (v.metric_name ?? '')
    return [point, code('alarm_rule', v.alarm.rule, v.rule_name)].filter(Boolean).join(' ')
  }

  /** The reading that made it true, with its unit; nothing where a number says nothing. */
  const value = (v: AlarmView): string => (isDigital(v) ? '' : `${reading(v.alarm.value ?? 0)} ${v.alarm.unit ?? ''}`)
  const limit = (v: AlarmView): string => (isDigital(v) ? '' : `${reading(v.alarm.limit ?? 0)} ${v.alarm.unit ?? ''}`)
  const peak = (v: AlarmView): string =>
    isDigital(v) ? '' : `${reading(v.alarm.peak ?? v.alarm.value ?? 0)} ${v.alarm.unit ?? ''}`
  const level = (v: AlarmView): string => t(v.alarm.level === 2 ? 'alarm.level2' : 'alarm.level1')
  const condition = (v: AlarmView): string => t(v.alarm.condition === 'active' ? 'alarm.active' : 'alarm.returned')

  return { what, value, limit, peak, level, condition }
}
