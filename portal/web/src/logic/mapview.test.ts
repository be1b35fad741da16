import { describe, expect, it } from 'vitest'
import { draw, nextArea, readable, type Outline, type Point } from './mapview'

const square = (code: string, west: number, south: number, size = 1): Outline => ({
  code,
  name: code,
  polygons: [
    [
      [
        [west, south],
        [west + size, south],
        [west + size, south + size],
        [west, south + size],
        [west, south],
      ],
    ],
  ],
})

describe('draw', () => {
  it('fills the picture, north up, and keeps the proportions of the middle latitude', () => {
    const { areas, project } = draw([square('a', 0, 0, 2), square('b', 2, 0, 2)], 428, 228)
    expect(areas.map((a) => a.code)).toEqual(['a', 'b'])
    const [x, y] = project([0, 2])
    const [x2, y2] = project([4, 0])
    expect(x2 - x).toBeCloseTo(400, 0)
    expect(y2 - y).toBeCloseTo(200, 0)
    expect(y2).toBeGreaterThan(y)
  })

  it('puts a name in the middle of the largest part', () => {
    const small = square('a', 3, 3, 0.1)
    const outline = { ...square('a', 0, 0, 2), polygons: [...small.polygons, ...square('a', 0, 0, 2).polygons] }
    const { areas, project } = draw([outline], 400, 400)
    const [x, y] = project([1, 1])
    expect(areas[0]?.at[0]).toBeCloseTo(x, 3)
    expect(areas[0]?.at[1]).toBeCloseTo(y, 3)
  })

  it('looks at one area where one is looked at', () => {
    const { project } = draw([square('a', 0, 0), square('b', 1, 0)], 228, 228, 'b')
    expect(project([1, 1])[0]).toBeCloseTo(14, 0)
  })

  it('does not make everything small for islands far away', () => {
    const near = draw([square('460100', 110, 19)], 228, 228).project([110, 20])
    const both = draw([square('460100', 110, 19), square('460300', 112, 4)], 228, 228).project([110, 20])
    expect(both).toEqual(near)
  })
})

describe('nextArea', () => {
  const at = (code: string, x: number, y: number): { code: string; at: Point } => ({ code, at: [x, y] })
  const grid = [at('nw', 0, 0), at('ne', 10, 0), at('sw', 0, 10), at('se', 10, 11), at('far', 30, 0)]

  it.each([
    ['nw', 'ArrowRight', 'ne'],
    ['ne', 'ArrowRight', 'far'],
    ['ne', 'ArrowDown', 'se'],
    ['se', 'ArrowLeft', 'sw'],
    ['sw', 'ArrowUp', 'nw'],
    ['nw', 'ArrowUp', undefined],
    ['', 'ArrowUp', 'nw'],
  ] as const)('from %s %s is %s', (from, arrow, want) => expect(nextArea(grid, from, arrow)?.code).toBe(want))
})

describe('readable', () => {
  it('leaves out what would lie on what matters more', () => {
    const label = (code: string, x: number, must: number) => ({ code, text: '苏州市', at: [x, 0] as Point, must })
    expect(readable([label('a', 0, 1), label('b', 20, 5), label('c', 80, 0)], 14).map((l) => l.code)).toEqual([
      'b',
      'c',
    ])
  })
})
