import { expect, test } from 'vitest'
import { filled } from './filled'

test.each([
  ['open ones first, none twice', ['b', 'c'], ['a', 'b'], 5, ['b', 'c', 'a']],
  ['no more than there is room for', ['b', 'c'], ['a'], 2, ['b', 'c']],
  ['nothing read yet', undefined, undefined, 5, []],
])('%s', (_name, open, lately, most, want) => {
  expect(filled<string>(open, lately, (id) => id, most)).toEqual(want)
})
