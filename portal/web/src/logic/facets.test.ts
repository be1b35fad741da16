import { describe, expect, it } from 'vitest'
import { bandKey, narrowed, parameters, regionAbove, shares, toggled } from './facets'

describe('what a list of plants is narrowed to (F2.1)', () => {
  it('is read from the address, nothing else', () => {
    expect(narrowed({ region: '320000', band: '10-29', level: 'red', q: '' })).toEqual({
      region: '320000',
      band: '10-29',
    })
  })
  it.each([
    ['10-29', { min_workers: 10, max_workers: 29 }],
    ['0-0', { min_workers: undefined, max_workers: 0 }],
    ['100-', { min_workers: 100, max_workers: undefined }],
  ])('a band %s', (band, expected) => expect(parameters({ band })).toEqual(expected))
  it('a band has a name', () => {
    expect(bandKey({ min: 30, max: 49 })).toBe('30-49')
    expect(bandKey({ min: 100, max: -1 })).toBe('100-')
  })
  it('the same value again takes it away', () => {
    expect(toggled({ scale: 'small' }, 'scale', 'small')).toEqual({})
    expect(toggled({ scale: 'small' }, 'scale', 'large')).toEqual({ scale: 'large' })
  })
  it.each([
    ['320505', '320500'],
    ['320500', '320000'],
    ['320000', ''],
    ['', ''],
  ])('above %s is %s', (region, above) => expect(regionAbove(region)).toBe(above))
  it('bars are as long as their share of the greatest', () => expect(shares([5, 10, 0])).toEqual([0.5, 1, 0]))
})
