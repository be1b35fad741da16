import { describe, expect, it } from 'vitest'
import { afterRefusal, stampLines, timeOfDoing } from './checkin'

describe('time of doing', () => {
  const done = { device: 1_000_000, offset: 5000, measured: true }
  it('is the device’s clock and what it was off by', () => {
    expect(timeOfDoing(done, 5400)).toEqual({ time: 1_005_000, clock_offset_ms: 5000, clock_doubtful: false })
  })
  it('is doubted when the clock was set before it was sent', () => {
    expect(timeOfDoing(done, 3_605_000)).toMatchObject({ time: 1_005_000, clock_doubtful: true })
  })
  it('is taken from the offset at sending, and doubted, when it was never measured before', () => {
    expect(timeOfDoing({ ...done, offset: 0, measured: false }, -7000)).toEqual({
      time: 993_000,
      clock_offset_ms: -7000,
      clock_doubtful: true,
    })
  })
})

describe('a refusal', () => {
  it.each([
    [0, 'later'],
    [429, 'later'],
    [503, 'later'],
    [401, 'login'],
    [404, 'person'],
    [409, 'person'],
    [422, 'person'],
  ])('%i: %s', (status, then) => expect(afterRefusal(status)).toBe(then))
})

describe('what is written on a photo', () => {
  const of = { plant: '明辉', item: '地面', person: '李', time: new Date(2026, 1, 3, 4, 5, 6).getTime() }
  const words = { noPlace: '无定位', deviceClock: '（设备时间）' }
  it('is plant, item and person, time, place', () => {
    expect(stampLines({ ...of, place: { lng: 120.5, lat: 31.25, accuracy: 12.4 } }, words, true)).toEqual([
      '明辉',
      '地面 · 李',
      '2026-02-03 04:05:06',
      '31.25000, 120.50000 ±12 m',
    ])
  })
  it('says that there is no place, and that the time is the device’s', () => {
    expect(stampLines(of, words, false).slice(2)).toEqual(['2026-02-03 04:05:06 （设备时间）', '无定位'])
  })
})
