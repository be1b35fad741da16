import { describe, expect, it } from 'vitest'
import { isoDay, periodOf, periodText, startOf, type Kind } from './period'

const at = (text: string): number => Date.parse(`${text}:00+08:00`)

describe('periods of reports', () => {
  it.each([
    ['daily', '2026-11-26T00:00', '2026-11-26'],
    ['daily', '2026-11-26T23:59', '2026-11-26'],
    ['weekly', '2026-11-23T00:00', '2026-11-23 – 2026-11-29'],
    ['weekly', '2026-11-29T23:59', '2026-11-23 – 2026-11-29'],
    ['weekly', '2027-01-01T08:00', '2026-12-28 – 2027-01-03'],
    ['monthly', '2028-02-29T12:00', '2028-02'],
    ['monthly', '2026-12-31T23:59', '2026-12'],
  ] as [Kind, string, string][])('%s of %s is %s', (kind, when, words) => {
    const { from, until } = periodOf(kind, at(when))
    expect(periodText(kind, from, until)).toBe(words)
    expect(at(when)).toBeGreaterThanOrEqual(from)
    expect(at(when)).toBeLessThan(until)
    expect(periodOf(kind, until).from).toBe(until)
  })

  it('reads and writes days of inputs', () => {
    expect(isoDay(startOf('2026-11-26'))).toBe('2026-11-26')
    expect(startOf('')).toBeNaN()
  })
})
