import { describe, expect, it } from 'vitest'
import { clock, count, milli, percent, reading, shortId, span, stamp } from './format'

describe('reading', () => {
  it.each([
    [1523.4, '1523'],
    [68.44, '68.4'],
    [1.2134, '1.21'],
    [0.1234, '0.123'],
    [0, '0'],
    [-12.34, '-12.3'],
    [undefined, '–'],
    [Number.NaN, '–'],
  ])('%s is shown as %s', (value, text) => expect(reading(value)).toBe(text))
})

describe('span', () => {
  it.each([
    [-5, 's', 0],
    [59_400, 's', 59],
    [60_000, 'min', 1],
    [3_599_000, 'min', 59],
    [3_600_000, 'h', 1],
    [47 * 3_600_000, 'h', 47],
    [48 * 3_600_000, 'd', 2],
  ])('%i ms is %s %i', (ms, unit, n) => expect(span(ms)).toEqual({ unit, n }))
})

describe('clock', () => {
  const now = new Date(2026, 10, 24, 15, 0, 0).getTime()
  it.each([
    [new Date(2026, 10, 24, 9, 5, 7), '09:05:07'],
    [new Date(2026, 10, 23, 9, 5, 7), '11-23 09:05'],
    [new Date(2025, 10, 24, 9, 5, 7), '2025-11-24 09:05'],
  ])('%s', (time, text) => expect(clock(time.getTime(), now)).toBe(text))
  it('has no time for nothing', () => expect(clock(undefined, now)).toBe('–'))
})

describe('the rest', () => {
  it('writes a stamp', () => expect(stamp(new Date(2026, 0, 2, 3, 4, 5).getTime())).toBe('2026-01-02 03:04:05'))
  it('writes thousandths', () => expect([milli(65_690), milli(0), milli(undefined)]).toEqual(['65.7', '0.0', '–']))
  it('separates thousands', () => expect(count(1234567)).toBe('1,234,567'))
  it('takes no part of nothing', () =>
    expect([percent(1, 0), percent(undefined, 3), percent(2, 3)]).toEqual([0, 0, 67]))
  it('shortens ids', () => expect([shortId('abc'), shortId('0123456789')]).toEqual(['abc', '…23456789']))
})
