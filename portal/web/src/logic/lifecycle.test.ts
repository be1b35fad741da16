import { describe, expect, it } from 'vitest'
import type { Alarm, AlarmStage, SpotCheckAnswer, SpotCheckView, Warning } from '../api'
import {
  alarmActions,
  alarmTrack,
  checkActions,
  checkAwaitsPlant,
  due,
  spotCheckTrack,
  warningActions,
  warningTrack,
} from './lifecycle'

const alarm = (stage: AlarmStage, more: Partial<Alarm> = {}): Alarm => ({
  id: 'a',
  enterprise: 'e',
  rule: 'HH',
  level: 2,
  onset: 1000,
  raised: 1500,
  condition: 'active',
  stage,
  ...more,
})

describe('alarmTrack', () => {
  it('stands where the alarm stands', () => {
    const steps = alarmTrack(
      alarm('disposed', {
        steps: [
          { action: 'acknowledge', actor: 'm0001', actor_name: '陈安全', time: 2000 },
          { action: 'dispose', actor: 'm0001', time: 3000 },
        ],
      }),
    )
    expect(steps.map((s) => s.state)).toEqual(['done', 'done', 'current', 'todo', 'todo'])
    expect(steps.map((s) => s.time)).toEqual([1500, 2000, 3000, undefined, undefined])
    expect(steps[1]?.who).toBe('陈安全')
  })
  it('forgets what was rejected', () => {
    const steps = alarmTrack(
      alarm('disposed', {
        steps: [
          { action: 'feed_back', actor: 'a', time: 4000 },
          { action: 'reject', actor: 'b', time: 5000 },
        ],
      }),
    )
    expect(steps[3]).toEqual({ stage: 'fed_back', state: 'todo' })
  })
  it('is done when closed', () => expect(alarmTrack(alarm('closed')).every((s) => s.state === 'done')).toBe(true))
  it('ends at a false alarm', () =>
    expect(alarmTrack(alarm('false_alarm')).map((s) => s.stage)).toEqual(['raised', 'false_alarm']))
})

describe('alarmActions', () => {
  it.each([
    ['plant, raised', alarm('raised'), false, ['acknowledge']],
    ['plant, acknowledged', alarm('acknowledged'), false, ['dispose']],
    ['plant, disposed', alarm('disposed'), false, ['feed_back']],
    ['plant, fed back', alarm('fed_back'), false, []],
    ['regulator, raised', alarm('raised'), true, ['false_alarm']],
    ['regulator, fed back, still active', alarm('fed_back'), true, ['reject', 'false_alarm']],
    [
      'regulator, fed back, returned',
      alarm('fed_back', { condition: 'returned' }),
      true,
      ['close', 'reject', 'false_alarm'],
    ],
    ['regulator, closed', alarm('closed'), true, []],
  ] as const)('%s', (_, a, regulator, want) => expect(alarmActions(a, regulator, true)).toEqual(want))
  it('offers nothing for what another site owns', () =>
    expect(alarmActions(alarm('fed_back'), true, false)).toEqual([]))
})

describe('warnings', () => {
  const warning = (stage: Warning['stage'], more: Partial<Warning> = {}): Warning => ({
    id: 'w',
    enterprise: 'e',
    from_level: 'blue',
    to_level: 'red',
    raised: 1000,
    stage,
    ...more,
  })
  it('takes the time of closing from the record', () =>
    expect(warningTrack(warning('closed', { closed: 9000 })).at(-1)).toEqual({
      stage: 'closed',
      state: 'done',
      time: 9000,
    }))
  it.each([
    ['raised', false, ['dispose']],
    ['disposed', false, ['feed_back']],
    ['fed_back', false, []],
    ['raised', true, []],
    ['fed_back', true, ['accept', 'reject']],
  ] as const)('%s, regulator %s', (stage, regulator, want) =>
    expect(warningActions(warning(stage), regulator, true)).toEqual(want),
  )
})

const about = { enterprise_name: '', origin: 'suzhou' }
const answer: SpotCheckAnswer = { id: '1', enterprise: 'e', spot_check: 's', actor: 'm0001', text: '好', time: 2000 }

describe('spotCheckTrack', () => {
  const view: SpotCheckView = {
    ...about,
    spot_check: { id: 's', enterprise: 'e', title: 't', stage: 'issued', issued: 1000 },
  }
  it('waits for the answer', () =>
    expect(spotCheckTrack(view).map((s) => s.state)).toEqual(['current', 'todo', 'todo']))
  it('shows an answer that its issuer has not seen', () => {
    const steps = spotCheckTrack({ ...view, answers: [answer] })
    expect(steps[1]).toEqual({ stage: 'answered', state: 'current', time: 2000 })
  })
})

describe('checkActions', () => {
  const view = (stage: SpotCheckView['spot_check']['stage'], found = false, ordered = 0): SpotCheckView => ({
    ...about,
    spot_check: {
      id: 's',
      enterprise: 'e',
      title: 't',
      stage,
      ...(ordered ? { ordered } : {}),
      ...(found ? { findings: [{ text: '未泄爆' }] } : {}),
    },
    answers: [answer],
  })
  it.each([
    ['issued', false, ['find']],
    ['issued', true, ['order', 'find']],
    ['answered', false, ['find', 'close']],
    ['answered', true, ['order', 'find', 'close']],
    ['ordered', true, ['find']],
    ['rectified', true, ['close', 'reject', 'find']],
    ['closed', true, []],
  ] as const)('%s, found %s', (stage, found, want) => {
    expect(checkActions(view(stage, found), true)).toEqual(want)
    expect(checkActions(view(stage, found), false)).toEqual([])
  })
  it.each([
    ['issued, answered', 'issued', 0, false],
    ['ordered after the answer', 'ordered', 3000, true],
    ['ordered, rectification is here', 'ordered', 1000, false],
    ['rectified', 'rectified', 1000, false],
  ] as const)('awaits the plant: %s', (_, stage, ordered, want) =>
    expect(checkAwaitsPlant(view(stage, true, ordered))).toBe(want),
  )
  it('shows an order to rectify in its track', () =>
    expect(spotCheckTrack(view('ordered', true, 3000)).map((s) => `${s.stage} ${s.state}`)).toEqual([
      'issued done',
      'ordered current',
      'rectified todo',
      'closed todo',
    ]))
})

describe('due', () => {
  const now = 10_000_000
  it.each([
    ['none', undefined, false, false, { state: 'none', ms: 0 }],
    ['closed', now - 1, true, true, { state: 'none', ms: 0 }],
    ['far', now + 3_600_000, false, false, { state: 'ok', ms: 3_600_000 }],
    ['soon', now + 60_000, false, false, { state: 'soon', ms: 60_000 }],
    ['past, not yet said by the site', now - 60_000, false, false, { state: 'overdue', ms: 60_000 }],
    ['said by the site', undefined, true, false, { state: 'overdue', ms: 0 }],
  ] as const)('%s', (_, at, overdue, closed, want) => expect(due(at, overdue, closed, now)).toEqual(want))
})
