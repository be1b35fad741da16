import { describe, expect, it } from 'vitest'
import type { Metric, MetricState, MetricView } from '../api'
import { freshness, gravity, judge, worst } from './freshness'

const now = 1_700_000_000_000
const metric = {
  code: 'm',
  collector: 'c',
  enterprise: 'e',
  gateway: 'g',
  kind: 'T01',
  name: 'T',
  unit: '℃',
} satisfies Metric
const about = { kind_name: '', signal: 'AI', quality: 0, fresh_s: 0, value: 0, state: 'none' } satisfies Omit<
  MetricView,
  'metric'
>
const view = (age_s: number, state: MetricState = 'normal', period_s = 1): MetricView => ({
  ...about,
  metric: { ...metric, period_s, limits: { h: 60, hh: 70, l: 10, ll: 5 } },
  time: now - age_s * 1000,
  value: 20,
  state,
})

describe('freshness', () => {
  it.each([
    ['just read', view(1), 'live'],
    ['ten seconds', view(10), 'live'],
    ['eleven seconds', view(11), 'late'],
    ['a minute and a bit', view(61), 'stale'],
    ['slow metric, four periods', view(240, 'normal', 60), 'live'],
    ['slow metric, twenty periods', view(1200, 'normal', 60), 'late'],
    ['slow metric, an hour', view(3600, 'normal', 60), 'stale'],
    ['from the future', view(-30), 'live'],
    ['said to be stale', view(30, 'stale'), 'stale'],
    ['never read', { ...view(1), time: 0 }, 'none'],
  ] as const)('%s', (_, v, want) => expect(freshness(v, now)).toBe(want))
})

describe('judge', () => {
  it.each([
    [70, 'hh'],
    [60, 'h'],
    [59.9, 'normal'],
    [10, 'l'],
    [5, 'll'],
  ])('%f is %s', (value, state) => expect(judge(view(0), value)).toBe(state))
  it('knows a fault of a digital metric', () => {
    const di: MetricView = { ...about, metric: { ...metric, kind: 'K01', limits: { fault_state: 1, fault_level: 2 } } }
    expect([judge(di, 1), judge(di, 0)]).toEqual(['fault', 'normal'])
  })
  it.each([
    [1, 'stale'],
    [3, 'fault'],
    [4, 'stale'],
  ])('quality %i is %s whatever the value', (quality, state) => expect(judge(view(0), 20, quality)).toBe(state))
  it('judges a fault state of zero, which the wire leaves out', () => {
    const di: MetricView = { ...about, metric: { ...metric, kind: 'R01', limits: { fault_level: 1 } } }
    expect([judge(di, 0), judge(di, 1)]).toEqual(['fault', 'normal'])
  })
})

describe('gravity', () => {
  it('never calls an old value good', () => expect(gravity(view(600), 'stale')).toBe('unknown'))
  it.each([
    ['normal', 'ok'],
    ['h', 'warn'],
    ['ll', 'bad'],
    ['fault', 'bad'],
  ] as const)('%s is %s', (state, want) => expect(gravity(view(1, state), 'live')).toBe(want))
  it('finds the worst', () =>
    expect([worst([]), worst(['ok', 'unknown']), worst(['warn', 'bad', 'ok'])]).toEqual(['ok', 'unknown', 'bad']))
})
