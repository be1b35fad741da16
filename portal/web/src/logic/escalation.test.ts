import { describe, expect, it } from 'vitest'
import { ladder, priorityMove } from './escalation'

const alarm = { onset: 1000, raised: 1100, stage: 'raised' as const }

describe('ladder', () => {
  it('begins with the handler and says who is next and when', () => {
    const rungs = ladder({ ...alarm, escalate_due: 9000 })
    expect(rungs.map((r) => r.state)).toEqual(['now', 'next', 'later', 'later', 'later'])
    expect(rungs[0]?.time).toBe(1100)
    expect(rungs[1]?.time).toBe(9000)
  })

  it('takes the times of the rungs from the steps', () => {
    const steps = [2000, 3000].map((time) => ({ action: 'escalate', actor: 'site', time }))
    const rungs = ladder({ ...alarm, escalation: 2, steps })
    expect(rungs.map((r) => r.state)).toEqual(['past', 'past', 'now', 'later', 'later'])
    expect(rungs.map((r) => r.time)).toEqual([1100, 2000, 3000, undefined, undefined])
  })

  it('has no next rung when it is closed or at the top', () => {
    expect(ladder({ ...alarm, stage: 'closed', escalate_due: 9000 }).some((r) => r.state === 'next')).toBe(false)
    expect(ladder({ ...alarm, escalation: 9, escalate_due: 9000 }).at(-1)?.state).toBe('now')
  })
})

describe('priorityMove', () => {
  it.each([
    ['critical', 'medium', 'rose'],
    ['low', 'high', 'fell'],
    ['high', 'high', undefined],
    [undefined, 'high', undefined],
    ['high', undefined, undefined],
  ] as const)('%s from %s: %s', (is, base, way) => expect(priorityMove(is, base)).toBe(way))
})
