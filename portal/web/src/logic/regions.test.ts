import { describe, expect, it } from 'vitest'
import { byDanger, holds, parentOf, placeName, prefixOf, regionChoices } from './regions'

describe('regions', () => {
  it.each([
    ['', ''],
    ['000000', ''],
    ['320000', '32'],
    ['320500', '3205'],
    ['320505', '320505'],
  ])('%s is the beginning %s', (region, prefix) => expect(prefixOf(region)).toBe(prefix))

  it('hold their parts and themselves', () => {
    expect(holds('320000', '320505')).toBe(true)
    expect(holds('320500', '320505')).toBe(true)
    expect(holds('320505', '320505')).toBe(true)
    expect(holds('320500', '320600')).toBe(false)
    expect(holds('', '320505')).toBe(true)
  })

  it('are chosen from the top, one step at a time', () => {
    const js = { region: '320000', name: '江苏省', short: '江苏省' }
    expect(regionChoices('', [], [js]).map((c) => c.name)).toEqual(['江苏省'])
    const deep = regionChoices(
      '320500',
      [js, { region: '320500', name: '苏州市' }],
      [{ region: '320505', name: '江苏省苏州市虎丘区', short: '虎丘区' }],
    )
    expect(deep.map((c) => [c.name, c.depth])).toEqual([
      ['江苏省', 0],
      ['苏州市', 1],
      ['虎丘区', 2],
    ])
  })

  it('stay chosen while their names are being read', () => {
    expect(regionChoices('320500')).toEqual([{ region: '320500', name: '320500', depth: 0 }])
  })

  it('name a county whose only part is itself once', () => {
    const at = { region: '441900', name: '东莞市' }
    expect(regionChoices('441900', [at], [{ ...at, short: '东莞市' }])).toHaveLength(1)
  })
})

describe('parentOf', () => {
  it.each([
    ['320505', '', '320500'],
    ['320500', '', '320000'],
    ['320000', '', ''],
    ['', '', ''],
    ['320500', '320000', '320000'],
    ['320505', '320500', '320500'],
    ['320000', '320000', '320000'],
  ])('of %s, seen from %s, is %s', (region, home, parent) => expect(parentOf(region, home)).toBe(parent))
})

describe('placeName', () => {
  it.each([
    ['江苏省', '江苏'],
    ['广西壮族自治区', '广西'],
    ['内蒙古自治区', '内蒙古'],
    ['香港特别行政区', '香港'],
    ['北京市', '北京市'],
    ['虎丘区', '虎丘区'],
  ])('%s is %s on a map', (name, short) => expect(placeName(name, 'zh')).toBe(short))
})

it('regions in danger come first', () => {
  const rows = [
    { region: 'a', worst: 'blue' as const, enterprises: 9 },
    { region: 'b', worst: 'red' as const, alarms_open: 1 },
    { region: 'c', worst: 'red' as const, alarms_open: 4 },
    { region: 'd', enterprises: 1 },
  ]
  expect([...rows].sort(byDanger).map((r) => r.region)).toEqual(['c', 'b', 'a', 'd'])
})
