import { describe, expect, it } from 'vitest'
import type { CleaningPlan, CleaningRecord } from '../api'
import { isDue, lastOf } from './cleaning'

const now = 1_700_000_000_000
const HOUR = 3_600_000
const plan = (cycle: string, disabled = false): CleaningPlan => ({
  id: 'p',
  enterprise: 'e',
  item: 'i',
  cycle,
  method: 'wet',
  disabled,
})
const record = (hours: number, of = 'p'): CleaningRecord => ({
  id: String(hours),
  enterprise: 'e',
  plan: of,
  item: 'i',
  person: 'x',
  time: now - hours * HOUR,
  photos: ['a'],
})

describe('cleaning', () => {
  it('takes the newest record of the plan', () => {
    expect(lastOf(plan('day'), [record(5), record(2), record(1, 'q')])?.id).toBe('2')
    expect(lastOf(plan('day'), undefined)).toBeUndefined()
  })
  it.each([
    ['shift', 7.9, false],
    ['shift', 8.1, true],
    ['day', 23, false],
    ['day', 25, true],
    ['week', 167, false],
    ['month', 719, false],
    ['unheard of', 25, true],
  ])('%s after %f h: due %s', (cycle, hours, want) => expect(isDue(plan(cycle), record(hours), now)).toBe(want))
  it('is due when never done, unless switched off', () => {
    expect(isDue(plan('month'), undefined, now)).toBe(true)
    expect(isDue(plan('shift', true), undefined, now)).toBe(false)
  })
})
