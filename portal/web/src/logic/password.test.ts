import { expect, it } from 'vitest'
import { isStrong, rulesOf } from './password'

it.each([
  ['', ['length', 'kinds', 'login']],
  ['Short1!', ['length']],
  ['onlysmallletters', ['kinds']],
  ['small and spaces', ['kinds']],
  ['Capital-letters1', []],
  ['口令口令口令Aa1口令', []],
  ['Login-Name1', ['login']],
])('%s breaks %o', (password, broken) => {
  expect(
    rulesOf(password, 'Login-Name1')
      .filter((r) => !r.kept)
      .map((r) => r.key),
  ).toEqual(broken)
  expect(isStrong(password, 'Login-Name1')).toBe(broken.length === 0)
})
