import { describe, expect, it } from 'vitest'
import type { Alarm, Replayed, RiskResult } from '../api'
import { bandsOf, eventsOf, fromLocalInput, localInput, momentOf, withGaps, wrongInterval } from './replay'

const alarm = (id: string, more: Partial<Alarm>): Alarm => ({
  id,
  enterprise: 'e',
  rule: 'H',
  level: 1,
  onset: 0,
  condition: 'active',
  stage: 'raised',
  ...more,
})
const risk = (time: number, level: RiskResult['level']) => ({
  time,
  record: { enterprise: 'e', time, level, index_milli: 1000 } as RiskResult,
})
const judged = { enterprise: 'e', model: '1', step_ms: 0 }
const past: Replayed = {
  ...judged,
  from: 100,
  to: 200,
  level: 'blue',
  samples: [
    {
      metric: 'm',
      points: [
        [110, 1, 0],
        [120, 2, 0],
        [150, 3, 0],
      ],
    },
    { metric: 'silent' },
  ],
  open: [alarm('old', { onset: 50 })],
  alarms: [
    { time: 130, record: alarm('new', { onset: 128, level: 2 }) },
    { time: 140, record: alarm('old', { onset: 50, stage: 'closed', condition: 'returned' }) },
    { time: 160, record: alarm('new', { onset: 128, level: 2, stage: 'acknowledged' }) },
  ],
  risk: [risk(120, 'blue'), risk(135, 'red'), risk(180, 'yellow')],
  actions: [{ time: 159, actor: 'm0001', action: 'acknowledge', record: 'Alarm/new' }],
}

describe('a replayed interval', () => {
  it('is cut into stretches of one level without a hole', () => {
    expect(bandsOf(past)).toEqual([
      { from: 100, to: 135, level: 'blue' },
      { from: 135, to: 180, level: 'red' },
      { from: 180, to: 200, level: 'yellow' },
    ])
    expect(bandsOf({ ...judged, from: 1, to: 2 })).toEqual([{ from: 1, to: 2, level: undefined }])
  })

  it.each([
    [100, 'blue', ['old'], undefined],
    [119, 'blue', ['old'], 1],
    [135, 'red', ['new', 'old'], 2],
    [150, 'red', ['new'], 3],
    [200, 'yellow', ['new'], 3],
  ])('at %i it was %s with %j open', (at, level, open, value) => {
    const m = momentOf(past, at)
    expect(m.level).toBe(level)
    expect(m.alarms.map((a) => a.id)).toEqual(open)
    expect(m.readings.get('m')?.value).toBe(value)
  })

  it('shows an alarm in the stage of that time', () => {
    expect(momentOf(past, 159).alarms[0]?.stage).toBe('raised')
    expect(momentOf(past, 160).alarms[0]?.stage).toBe('acknowledged')
  })

  it('tells what happened once, in order', () => {
    expect(eventsOf(past).map((e) => [e.at, e.kind])).toEqual([
      [130, 'raised'],
      [135, 'level'],
      [140, 'returned'],
      [159, 'action'],
      [180, 'level'],
    ])
  })
})

describe('readings', () => {
  it('leave a hole where some are missing', () => {
    const points = [0, 10, 20, 30, 200].map((s) => [s * 1000, s, 0] as [number, number, number])
    expect(withGaps(points).filter(([, v]) => v === null)).toEqual([[30_001, null]])
    expect(withGaps([])).toEqual([])
  })
})

describe('an interval a person writes', () => {
  it('comes back as it went', () => {
    const at = new Date(2026, 10, 5, 7, 3).getTime()
    expect(localInput(at)).toBe('2026-11-05T07:03')
    expect(fromLocalInput(localInput(at))).toBe(at)
    expect(fromLocalInput('')).toBeUndefined()
  })
  it.each([
    [undefined, 1, 'replay.needInterval'],
    [2, 1, 'replay.backwards'],
    [0, 32 * 86_400_000, 'replay.tooLong'],
    [0, 31 * 86_400_000, ''],
  ])('from %s to %s: %s', (from, to, word) => expect(wrongInterval(from, to)).toBe(word))
})
