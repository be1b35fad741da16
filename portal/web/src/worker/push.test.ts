import { describe, expect, it } from 'vitest'
import { pageOf } from './push'

describe('the page of a call', () => {
  it.each([
    ['Alarm/a-1', '/alarms/a-1'],
    ['Warning/w/1', '/warnings/w%2F1'],
    ['Alarm', '/'],
    ['https://elsewhere/x', '/'],
    [undefined, '/'],
  ])('%s: %s', (subject, page) => expect(pageOf(subject)).toBe(page))
})
