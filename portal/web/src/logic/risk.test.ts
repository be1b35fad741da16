import { describe, expect, it } from 'vitest'
import type { Level, RiskResult } from '../api'
import { evidenceOf, jumpsOf } from './risk'

const at = (time: number, level: Level, previous_level?: Level): RiskResult => ({
  id: 'e',
  model: '1',
  enterprise: 'e',
  time,
  level,
  ...(previous_level ? { previous_level } : {}),
})

describe('jumpsOf', () => {
  it('marks rises over two levels, not single steps nor falls, whatever the order', () => {
    const line = [at(4, 'red'), at(1, 'yellow'), at(2, 'orange'), at(3, 'blue')]
    expect(jumpsOf(line)).toEqual([{ time: 4, from: 'blue', to: 'red' }])
  })
  it('knows the level before the first judgement shown', () => {
    expect(jumpsOf([at(1, 'orange', 'blue')])).toEqual([{ time: 1, from: 'blue', to: 'orange' }])
  })
  it('is empty for nothing', () => expect(jumpsOf(undefined)).toEqual([]))
})

describe('evidenceOf', () => {
  it.each([
    ['320505030001C002T0101', 'reading'],
    ['Metric/320505030001C002T0101', 'reading'],
    ['jiangsu-a-000131', 'alarm'],
    ['Alarm/jiangsu-a-000131', 'alarm'],
    ['DustSystem/320505030001S01', 'other'],
  ])('%s is %s', (key, kind) => expect(evidenceOf(key).kind).toBe(kind))
  it('leads to the record without its type', () => {
    expect(evidenceOf('Alarm/jiangsu-a-000131').to).toBe('/alarms/jiangsu-a-000131')
  })
})
