import { describe, expect, it } from 'vitest'
import {
  bandChange,
  bandOf,
  bandValue,
  choiceChange,
  choiceOf,
  criteriaOf,
  isEmpty,
  refined,
  sameSearch,
  searchOf,
  searchOfText,
  searchText,
  toggled,
} from './search'

describe('a search', () => {
  it('is what an address says of its dimensions and nothing else', () => {
    const s = searchOf({
      region: '320500',
      level: 'red,orange',
      after: 'x',
      q: ' 铝 ',
      online: ['true', 'false'],
      alarm: '',
    })
    expect(s).toEqual({ region: '320500', level: 'red,orange', q: '铝' })
  })

  it('has one text, whatever order it was made in', () => {
    const a = searchOfText('level=red&alarm=true')
    expect(searchText(a)).toBe('alarm=true&level=red')
    expect(sameSearch(a, searchOfText('alarm=true&level=red&page=2'))).toBe(true)
    expect(sameSearch(a, searchOfText('alarm=true'))).toBe(false)
    expect(isEmpty(searchOfText('page=2'))).toBe(true)
  })

  it('loses a dimension that is set to nothing', () => {
    expect(refined({ level: 'red', q: 'x' }, { q: '', online: 'true' })).toEqual({ level: 'red', online: 'true' })
  })

  it('is drawn from with numbers as numbers', () => {
    expect(criteriaOf({ min_workers: '10', alarm_level: '2', level: 'red' })).toEqual({
      min_workers: 10,
      alarm_level: 2,
      level: 'red',
    })
  })
})

it.each([
  [undefined, 'red'],
  ['orange', 'orange,red'],
  ['red,orange', 'orange'],
  ['red', ''],
])('levels %s and red: %s', (levels, want) => expect(toggled(levels, 'red')).toBe(want))

describe('workers', () => {
  it.each([
    [10, 29, '10-29'],
    [100, -1, '100-'],
    [0, 0, '0-0'],
  ])('%s to %s', (min, max, value) => {
    expect(bandValue(min, max)).toBe(value)
    expect(bandOf(refined({}, bandChange(value)))).toBe(value)
  })
  it('of any number are not asked for', () => expect(bandOf(refined({ min_workers: '3' }, bandChange('')))).toBe(''))
})

describe('alarms and warnings', () => {
  it.each([
    ['alarm', 'alarm_level=2'],
    ['alarm', 'alarm=false'],
    ['warning', 'warning_overdue=true'],
    ['warning', ''],
  ] as const)('%s: %s', (of, value) => {
    const before: Search = { alarm: 'true', warning: 'true' }
    expect(choiceOf(refined(before, choiceChange(of, value)), of)).toBe(value)
  })
})
type Search = Parameters<typeof refined>[0]
