import { describe, expect, it } from 'vitest'
import { above, accuracy, broken, completeness, onlineLines, percentText, qualityLines, share } from './figures'
import type { AnalysisDay, BaseRule, RegionPart } from './types'

const part: RegionPart = {
  region: '320000',
  name: '江苏省',
  plants: { due: 4, connected: 3, online: 2 },
  systems: { due: 4, connected: 3, online: 2 },
  required: { asked: 80, filled: 80 },
  recommended: { asked: 20, filled: 10 },
  records: 200,
  records_wrong: 5,
}
const rule = (id: string, records: number): BaseRule => ({ id, zh: id, en: id, plants: records, records })

describe('figures of the analysis', () => {
  it('shares, and says nothing of nothing', () => {
    expect(share(1, 3)).toBe(33.3)
    expect(share(0, 0)).toBeUndefined()
    expect(percentText(share(0, 0))).toBe('–')
    expect(percentText(share(2, 2))).toBe('100.0%')
  })

  it('counts what is right and what is filled', () => {
    expect(accuracy(part)).toBe(97.5)
    expect(completeness(part)).toBe(90)
  })

  it('knows the region around a region', () => {
    expect(above('320505')).toBe('320500')
    expect(above('320500')).toBe('320000')
    expect(above('320000')).toBe('')
    expect(above('')).toBeUndefined()
  })

  it('lists broken rules, worst first', () => {
    const { rows, kept } = broken([rule('a', 0), rule('b', 2), rule('c', 7)])
    expect(rows.map((r) => r.id)).toEqual(['c', 'b'])
    expect(kept).toBe(1)
  })

  it('leaves days out on which there was nothing to share', () => {
    const day = (n: number, connected: number): AnalysisDay => ({
      day: n,
      samples: 1,
      plants_connected: connected,
      plants_online: 1,
      systems_connected: connected,
      systems_online: connected,
      last: part,
      levels: { red: 0, orange: 0, yellow: 0, blue: 0 },
      ...(n === 2
        ? { sensing: { series: 1, expected: 10, received: 9, gaps: 0, over_range: 0, stuck: 0, frequent: 0 } }
        : {}),
    })
    const days = [day(1, 0), day(2, 2)]
    expect(onlineLines(days).map((l) => l.points)).toEqual([[[2, 50]], [[2, 100]]])
    expect(qualityLines(days).map((l) => l.points.length)).toEqual([2, 2, 1])
  })
})
