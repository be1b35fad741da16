import { expect, it } from 'vitest'
import { auditQuery, toneOf } from './audit'

const nothing = { actor: '', action: '', subject: '', result: '', from: '', to: '' }

it('asks for nothing that was not filled in', () => {
  expect(
    Object.values(auditQuery({ ...nothing, actor: '  ', from: 'rubbish' })).filter((v) => v !== undefined),
  ).toEqual([])
})

it('trims words and reads local times', () => {
  const q = auditQuery({ ...nothing, actor: ' ji01 ', from: '2026-11-25T22:00' })
  expect(q.actor).toBe('ji01')
  expect(q.from).toBe(new Date(2026, 10, 25, 22, 0).getTime())
})

it.each([
  ['ok', 'ok'],
  ['failed: second factor', 'bad'],
  ['refused 403', 'warn'],
  ['wrong portal', 'warn'],
  ['province_regulator', 'plain'],
  [undefined, 'plain'],
])('%s is %s', (result, tone) => expect(toneOf(result)).toBe(tone))
