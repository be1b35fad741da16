import { describe, expect, it } from 'vitest'
import type { Factor } from '../api'
import { bandOf, liftedByFloor, mainReason, partOf, parts, shares, signalOf } from './composition'

// Regression vector D of the model: H 73, T01 and K01 at level 2, M 30.
const factors: Factor[] = [
  { code: 'H1', name: '粉尘爆炸特性', contribution_milli: 25_550 },
  { code: 'D.1.T01', name: '灰斗内部温度', contribution_milli: 23_349 },
  { code: 'D.1.K01', name: '锁气卸灰故障', contribution_milli: 9_291 },
  { code: 'M1', name: '清扫完成率', contribution_milli: 7_500 },
  { code: 'M2', name: '报警处置' },
]
const index = 65_690

describe('composition', () => {
  it('tells parts by code', () =>
    expect(['H1', 'D.1.T01', 'M6'].map(partOf)).toEqual(['inherent', 'dynamic', 'management']))
  it('reads a signal', () => {
    expect(signalOf('D.12.T01')).toEqual({ system: 12, kind: 'T01' })
    expect(signalOf('H1')).toBeUndefined()
  })
  it('orders shares, leaves out what adds nothing', () => {
    const list = shares(factors, index)
    expect(list.map((s) => s.factor.code)).toEqual(['H1', 'D.1.T01', 'D.1.K01', 'M1'])
    expect(list.map((s) => s.percent)).toEqual([39, 36, 14, 11])
  })
  it('adds up to the index', () => {
    const p = parts(factors)
    expect(p.inherent + p.dynamic + p.management).toBe(index)
  })
  it('names first what can be acted on', () => {
    expect(mainReason(factors, index)?.factor.code).toBe('D.1.T01')
    expect(mainReason(factors.slice(0, 1), index)?.factor.code).toBe('H1')
    expect(mainReason([], 0)).toBeUndefined()
  })
  it.each([
    [34_999, 'blue'],
    [35_000, 'yellow'],
    [55_000, 'orange'],
    [75_000, 'red'],
  ])('%i is %s by band', (value, level) => expect(bandOf(value)).toBe(level))
  it('says when a floor rule lifted the level', () => {
    expect(liftedByFloor({ level: 'red', index_milli: index, floor: 'F3' })).toBe(true)
    expect(liftedByFloor({ level: 'orange', index_milli: index, floor: 'F1' })).toBe(false)
    expect(liftedByFloor({ level: 'red', index_milli: index })).toBe(false)
  })
})
