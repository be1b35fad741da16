import { expect, test } from 'vitest'
import { byTag } from './keys'

test('routes stand by group, in the order they came', () => {
  const route = (id: string, tag: string) => ({ id, tag, method: 'GET', path: `/${id}`, summary: id })
  const groups = byTag([route('alarms', 'alarms'), route('plant', 'enterprises'), route('alarm', 'alarms')])
  expect(groups.map(([tag, list]) => [tag, list.map((r) => r.id)])).toEqual([
    ['alarms', ['alarms', 'alarm']],
    ['enterprises', ['plant']],
  ])
})
