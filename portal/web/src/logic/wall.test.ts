import { describe, expect, it } from 'vitest'
import { judgedFrom, pageAt, shareText, staleAfter } from './wall'

it.each([
  [12, 100, '12%'],
  [1, 400, '<1%'],
  [0, 10, ''],
  [undefined, 10, ''],
  [3, 0, ''],
])('%s of %s is %s', (part, whole, text) => expect(shareText(part, whole)).toBe(text))

it('data are old when two readings were missed', () => expect(staleAfter(30_000)).toBe(75_000))

describe('pageAt', () => {
  const list = [1, 2, 3, 4, 5]
  it.each([
    [0, [1, 2, 3]],
    [1, [4, 5]],
    [2, [1, 2, 3]],
  ])('turn %s', (turn, want) => expect(pageAt(list, turn, 3)).toEqual(want))
  it('of nothing is nothing', () => expect(pageAt([], 7, 3)).toEqual([]))
})

it('a trend begins when somebody was judged', () => {
  expect(judgedFrom([{ time: 1 }, { time: 2, red: 1 }, { time: 3 }]).map((p) => p.time)).toEqual([2, 3])
  expect(judgedFrom([{ time: 1 }])).toEqual([])
})
