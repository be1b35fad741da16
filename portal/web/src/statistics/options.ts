// The charts of the statistics page.
import type { EChartsCoreOption } from 'echarts/core'
import type { AlarmStatistics, AlarmTrend } from '../api'
import { stamp } from '../logic/format'
import { token } from '../theme'

const base = (): EChartsCoreOption => ({
  animation: false,
  grid: { left: 4, right: 8, top: 16, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
  tooltip: {
    trigger: 'axis',
    backgroundColor: token('surface'),
    borderColor: token('line-strong'),
    textStyle: { color: token('ink'), fontSize: 13 },
  },
})
const labels = (): object => ({ color: token('ink-3'), hideOverlap: true })
const value = (): object => ({
  type: 'value',
  axisLabel: labels(),
  splitLine: { lineStyle: { color: token('line') } },
})
const category = (data: string[]): object => ({
  type: 'category',
  data,
  axisLine: { lineStyle: { color: token('line-strong') } },
  axisTick: { show: false },
  axisLabel: labels(),
})
const bar = (data: unknown[], more: object = {}): object => ({
  type: 'bar',
  data,
  barMaxWidth: 28,
  itemStyle: { color: token('accent') },
  ...more,
})

/** Alarms over time; what was a flood is red. */
export function trend({ points = [], step }: AlarmTrend): EChartsCoreOption {
  return {
    ...base(),
    xAxis: category(points.map((p) => stamp(p.at).slice(5, step === 'day' ? 10 : 16))),
    yAxis: value(),
    series: [bar(points.map((p) => ({ value: p.count, itemStyle: { color: token(p.flood ? 'red' : 'accent') } })))],
  }
}

/** The hours of the day. */
export function bars(hours: readonly number[]): EChartsCoreOption {
  return { ...base(), xAxis: category(hours.map((_, i) => `${i}`)), yAxis: value(), series: [bar([...hours])] }
}

/** Which points make most alarms, and how much the first of them make together. */
export function pareto(
  rows: NonNullable<AlarmStatistics['by_metric']>,
  count: string,
  cumulative: string,
): EChartsCoreOption {
  return {
    ...base(),
    xAxis: category(rows.map((r) => r.name)),
    yAxis: [
      value(),
      {
        ...value(),
        min: 0,
        max: 100,
        axisLabel: { color: token('ink-3'), formatter: '{value}%' },
        splitLine: { show: false },
      },
    ],
    series: [
      bar(
        rows.map((r) => r.count),
        { name: count },
      ),
      {
        type: 'line',
        name: cumulative,
        yAxisIndex: 1,
        data: rows.map((r) => Math.round(r.cumulative * 1000) / 10),
        symbolSize: 5,
        lineStyle: { color: token('orange'), width: 2 },
        itemStyle: { color: token('orange') },
      },
    ],
  }
}
