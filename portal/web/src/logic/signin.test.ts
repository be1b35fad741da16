import { expect, test } from 'vitest'
import { failureOf, localPlace, providerUrl } from './signin'

test('a login leads to a place within the portal', () => {
  for (const [to, want] of [
    ['/alarms?stage=open#x', '/alarms?stage=open#x'],
    ['/一企一档', '/一企一档'],
    ['alarms', '/'],
    ['//evil.test', '/'],
    ['/\\evil.test', '/'],
    ['/\t/evil.test', '/'],
    ['/x\\y', '/'],
    ['https://evil.test', '/'],
    ['javascript:alert(1)', '/'],
    [undefined, '/'],
    [['/alarms'], '/'],
  ] as const)
    expect(localPlace(to)).toBe(want)
})

test('the button keeps where the person wanted to go', () => {
  expect(providerUrl('/')).toBe('/api/v1/session/sso')
  expect(providerUrl('/alarms?a=b&c')).toBe('/api/v1/session/sso?to=%2Falarms%3Fa%3Db%26c')
})

test('only known failures are told', () => {
  expect(failureOf('down')).toBe('down')
  expect(failureOf('code')).toBeUndefined()
  expect(failureOf('<b>')).toBeUndefined()
  expect(failureOf(['down'])).toBeUndefined()
})
