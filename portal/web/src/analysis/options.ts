// The charts of the analysis page.
import type { EChartsCoreOption } from 'echarts/core'
import { token } from '../theme'
import type { Line } from './figures'

const day = (ms: number): string =>
  new Date(ms).toLocaleDateString('zh-CN', { month: '2-digit', day: '2-digit', timeZone: 'Asia/Shanghai' })

/** Percents over days. The axis begins where something is to be seen, and ends at 100. */
export function percents(lines: readonly Line[], names: (key: string) => string): EChartsCoreOption {
  const least = Math.min(100, ...lines.flatMap((l) => l.points.map((p) => p[1])))
  const floor = Math.max(0, Math.floor((least - 2) / 10) * 10)
  return {
    animation: false,
    grid: { left: 4, right: 14, top: 14, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    tooltip: {
      trigger: 'axis',
      backgroundColor: token('surface'),
      borderColor: token('line-strong'),
      textStyle: { color: token('ink'), fontSize: 13 },
      valueFormatter: (v: unknown) => `${String(v)}%`,
    },
    xAxis: {
      type: 'time',
      axisLine: { lineStyle: { color: token('line-strong') } },
      axisTick: { show: false },
      axisLabel: { color: token('ink-3'), hideOverlap: true, formatter: day },
      minInterval: 86_400_000,
    },
    yAxis: {
      type: 'value',
      min: floor,
      max: 100,
      axisLabel: { color: token('ink-3'), formatter: '{value}%' },
      splitLine: { lineStyle: { color: token('line') } },
    },
    series: lines.map((l) => ({
      type: 'line',
      name: names(l.key),
      data: l.points,
      symbol: 'circle',
      symbolSize: 6,
      showSymbol: l.points.length < 15,
      lineStyle: { color: token(l.tone), width: 2 },
      itemStyle: { color: token(l.tone) },
    })),
  }
}
