import type { Alarm } from '../api'
import { describe, expect, it } from 'vitest'
import { lasting, nextCalls } from './calls'

const NOW = 1_800_000_000_000
const MIN = 60_000
const alarm = (over: Partial<Alarm> = {}): Alarm => ({
  id: 'a',
  enterprise: 'e',
  rule: 'HH',
  level: 2,
  onset: NOW - 6 * MIN,
  condition: 'active',
  stage: 'raised',
  ...over,
})

describe('nextCalls', () => {
  it('names who is called next, the nearest first', () => {
    const calls = nextCalls(alarm({ escalation: 1, escalate_due: NOW + 10 * MIN, remind_due: NOW + 5 * MIN }), NOW)
    expect(calls.map((c) => [c.kind, c.rung, c.ms])).toEqual([
      ['remind', 1, 5 * MIN],
      ['escalate', 2, 10 * MIN],
    ])
  })
  it('never climbs above the province', () => {
    expect(nextCalls(alarm({ escalation: 4, escalate_due: NOW + MIN }), NOW)).toEqual([])
  })
  it.each([
    ['suppressed', { suppressed: true }],
    ['closed', { stage: 'closed' as const }],
    ['false', { stage: 'false_alarm' as const }],
  ])('calls nobody when %s', (_, over) => {
    expect(nextCalls(alarm({ escalate_due: NOW + MIN, ...over }), NOW)).toEqual([])
  })
  it('says now, not a negative time, when the moment has passed', () => {
    expect(nextCalls(alarm({ escalate_due: NOW - MIN }), NOW)[0]?.ms).toBe(0)
  })
})

describe('lasting', () => {
  it.each([
    [4 * MIN, 'high', 0],
    [6 * MIN, 'high', 1],
    [61 * MIN, 'critical', 2],
    [61 * MIN, 'low', 0],
  ] as const)('%i ms at %s rose %i times at most', (ms, priority, rises) => {
    expect(lasting(alarm({ since: NOW - ms, priority }), NOW)).toEqual({ ms, rises })
  })
  it('counts from when the condition last began, and not after it returned', () => {
    expect(lasting(alarm({ onset: NOW - 90 * MIN, since: NOW - MIN, priority: 'high' }), NOW).rises).toBe(0)
    expect(lasting(alarm({ condition: 'returned', priority: 'critical' }), NOW).rises).toBe(0)
  })
})
