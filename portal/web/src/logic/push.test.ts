import { describe, expect, it } from 'vitest'
import { keyBytes, minutesOf, pushSupport, timeOf } from './push'

describe('keyBytes', () => {
  it('reads base64url without padding', () => {
    expect([...keyBytes('-_8B')]).toEqual([251, 255, 1])
    expect([...keyBytes('BA')]).toEqual([4])
  })
})

describe('pushSupport', () => {
  const all = { secure: true, worker: true, push: true, permission: 'default' }
  it.each([
    ['ok', all],
    ['insecure', { ...all, secure: false, worker: false }],
    ['unsupported', { ...all, push: false }],
    ['unsupported', { ...all, permission: undefined }],
    ['denied', { ...all, permission: 'denied' }],
  ])('%s', (wanted, has) => expect(pushSupport(has)).toBe(wanted))
})

describe('quiet hours', () => {
  it('go there and back', () => {
    for (const m of [0, 1, 59, 60, 1350, 1439]) expect(minutesOf(timeOf(m))).toBe(m)
  })
  it.each(['24:00', '12:60', '', 'ab:cd'])('%s is no time', (text) => expect(minutesOf(text)).toBeUndefined())
})
