import { describe, expect, it } from 'vitest'
import type { CleaningPlan, CleaningRecord } from '../api'
import { leading, monthOf } from './calendar'

const at = (day: number, hour = 12) => new Date(2026, 9, day, hour).getTime() // October 2026 begins on a Thursday
const plan = (id: string, cycle: string): CleaningPlan => ({ id, enterprise: 'e', item: id, cycle, method: '1' })
const record = (p: string, day: number): CleaningRecord => ({
  id: `${p}-${day}`,
  enterprise: 'e',
  plan: p,
  item: p,
  person: 'x',
  time: at(day),
  photos: ['a'],
})
const stateOn = (day: number, plans: CleaningPlan[], records: CleaningRecord[], now = at(20)) =>
  monthOf(at(1), plans, records, now)[day - 1]

describe('calendar of cleaning', () => {
  it('has every day of the month, in weeks that begin on Monday', () => {
    const days = monthOf(at(5), [], [], at(20))
    expect(days.map((d) => d.day)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1))
    expect(leading(days)).toBe(3)
  })

  it('tells done, partly done, missed, to be done and to come', () => {
    const plans = [plan('floor', 'day'), plan('beam', 'shift')]
    const records = [record('floor', 5), record('beam', 5), record('floor', 6)]
    expect(stateOn(5, plans, records)?.state).toBe('done')
    expect(stateOn(6, plans, records)).toMatchObject({ state: 'part', due: 2, done: 1, missed: ['beam'] })
    expect(stateOn(7, plans, records)?.state).toBe('missed')
    expect(stateOn(20, plans, records)).toMatchObject({ state: 'open', missed: [] })
    expect(stateOn(21, plans, records)?.state).toBe('future')
  })

  it('counts a plan from its first check-in: nobody missed what was not planned yet', () => {
    expect(stateOn(4, [plan('floor', 'day')], [record('floor', 5)])?.state).toBe('none')
    expect(stateOn(19, [plan('floor', 'day')], [])?.state).toBe('none')
    expect(stateOn(20, [plan('floor', 'day')], [])?.state).toBe('open')
  })

  it('asks for a week by its Sunday and for a month by its last day', () => {
    const plans = [plan('duct', 'week')]
    expect(stateOn(11, plans, [record('duct', 6)])?.state).toBe('done') // 5 to 11 October
    expect(stateOn(18, plans, [record('duct', 6)])?.state).toBe('missed')
    expect(stateOn(14, plans, [record('duct', 6)])?.state).toBe('none')
    const month = monthOf(at(1), [plan('roof', 'month')], [record('roof', 2)], at(31, 23))
    expect(month[30]).toMatchObject({ state: 'done', due: 1, done: 1 })
  })

  it('does not ask for a plan that is no longer in use', () => {
    expect(stateOn(7, [{ ...plan('floor', 'day'), disabled: true }], [record('floor', 5)])?.state).toBe('none')
  })
})
