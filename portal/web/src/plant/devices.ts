// Live readings of one plant: what was read at first, kept up by the stream.
import { shallowRef, watch, type ShallowRef } from 'vue'
import type { CollectorView, Latest, MetricView, PlantView } from '../api'
import { onLatest } from '../live'
import { judge } from '../logic/freshness'

function moved(view: MetricView, values: Map<string, Latest['values'][number]>): MetricView {
  const got = values.get(view.metric.code)
  if (!got || got.time < (view.time ?? 0)) return view
  return { ...view, value: got.value, time: got.time, state: judge(view, got.value, got.quality) }
}

/** A plant whose readings move. The first reading comes from the page's own request; later ones from the stream. */
export function useLivePlant(code: string, base: ShallowRef<PlantView | undefined>): ShallowRef<PlantView | undefined> {
  const plant = shallowRef<PlantView>()
  const values = new Map<string, Latest['values'][number]>()

  function settle(): void {
    const p = base.value
    plant.value = p && {
      ...p,
      systems: (p.systems ?? []).map((s) => ({
        ...s,
        collectors: (s.collectors ?? []).map((c) => ({
          ...c,
          metrics: (c.metrics ?? []).map((m) => moved(m, values)),
        })),
      })),
    }
  }

  onLatest(code, (latest: Latest) => {
    for (const v of latest.values) values.set(v.metric, v)
    settle()
  })
  watch(base, settle, { immediate: true })
  return plant
}

/** All collectors of a plant, system by system. */
export function collectorsOf(plant: PlantView | undefined): CollectorView[] {
  return (plant?.systems ?? []).flatMap((s) => s.collectors ?? [])
}

// The order in which readings matter to somebody who looks: what can explode first, then what runs.
const ORDER = ['T01', 'P01', 'K01', 'L01', 'F01', 'Q01', 'S01', 'S02', 'B01', 'E01', 'H01', 'R01', 'R02', 'A01']
const place = (kind: string): number => {
  const i = ORDER.indexOf(kind)
  return i < 0 ? ORDER.length : i
}

/** A collector's readings, the telling ones first. */
export function inOrder(metrics: readonly MetricView[] | undefined): MetricView[] {
  return [...(metrics ?? [])].sort(
    (a, b) => place(a.metric.kind) - place(b.metric.kind) || a.metric.code.localeCompare(b.metric.code),
  )
}
