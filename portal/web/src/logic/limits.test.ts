import { describe, expect, it } from 'vitest'
import { draftOf, limitWords, readDraft, withProposal } from './limits'

const now = { h: 60, hh: 70, deadband: 2, on_delay_ms: 3000 }

describe('readDraft', () => {
  it('keeps what is not edited and says that nothing changed', () => {
    expect(readDraft(now, draftOf(now))).toEqual({ limits: now, wrong: [], changed: false })
  })
  it('reads a tighter limit, also with a comma', () => {
    expect(readDraft(now, { h: '57,5', hh: '70' })).toEqual({ limits: { ...now, h: 57.5 }, wrong: [], changed: true })
  })
  it('removes an emptied limit, for the site to refuse with its reason', () => {
    const read = readDraft(now, { h: '', hh: '70' })
    expect(read.changed).toBe(true)
    expect('h' in read.limits).toBe(false)
  })
  it('names fields that hold no number', () => {
    expect(readDraft(now, { h: 'hot', hh: '70' }).wrong).toEqual(['h'])
  })
  it('keeps zero: it is a limit', () => {
    expect(readDraft({ l: 0 }, draftOf({ l: 0 }))).toEqual({ limits: { l: 0 }, wrong: [], changed: false })
  })
})

describe('withProposal', () => {
  it('fills in proposed limits and leaves the others', () => {
    const proposed = (field: string, to: number) => ({
      field,
      proposed: to,
      now: null,
      change: 'new' as const,
      reason: '',
    })
    const limits = [proposed('h', 55), proposed('deadband', 1)]
    expect(withProposal({ h: '60', hh: '70' }, { limits })).toEqual({ h: '55', hh: '70' })
  })
})

describe('limitWords', () => {
  const names: Record<string, string> = { h: 'high', off_delay_ms: 'off delay', range: 'range' }
  it('names every field, and gives times in seconds', () => {
    expect(limitWords('h=60 off_delay_ms=2000 range=-20..200', (f) => names[f] ?? f)).toEqual([
      'high 60',
      'off delay 2 s',
      'range -20..200',
    ])
  })
  it('says nothing of nothing, and leaves what it does not know', () => {
    expect(limitWords('', (f) => f)).toEqual([])
    expect(limitWords('none', (f) => f)).toEqual(['none'])
  })
})
