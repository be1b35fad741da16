import { describe, expect, it } from 'vitest'
import { looksLike, rewritten } from './channels'

describe('a channel written anew', () => {
  const channel = {
    id: 'N1',
    kind: 'email',
    name: '值班',
    priority: 'high',
    quiet_from: 1320,
    quiet_until: 360,
  } as const
  it('keeps what is not changed, since the site clears what is left out', () => {
    expect(rewritten(channel, { quiet_from: 60, quiet_until: 300 })).toEqual({
      ...channel,
      quiet_from: 60,
      quiet_until: 300,
    })
    expect(rewritten(channel, { disabled: true })).toEqual({ ...channel, disabled: true })
  })
  it('leaves out what is empty, since an empty priority is no priority', () => {
    expect(rewritten(channel, { priority: '', quiet_from: 0, quiet_until: 0 })).toEqual({
      id: 'N1',
      kind: 'email',
      name: '值班',
    })
  })
})

describe('an address', () => {
  it.each([
    ['email', 'duty@example.cn', true],
    ['email', 'duty', false],
    ['webhook', 'https://example.cn/hook', true],
    ['webhook', 'ftp://example.cn', false],
    ['sms', ' 13800000000 ', true],
    ['sms', '138-0000', false],
  ] as const)('%s %s: %s', (kind, address, ok) => expect(looksLike(kind, address)).toBe(ok))
})
