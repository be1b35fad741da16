// From outlines in degrees to a picture: where each area lies, where its name stands, and which is next in a direction.

export type Point = [number, number]
/** Rings; the first is the outer one. */
export type Polygon = Point[][]

export interface Outline {
  code: string
  name: string
  polygons: Polygon[]
}

export interface Drawn {
  code: string
  name: string
  /** of an SVG path */
  d: string
  /** where a name stands */
  at: Point
  /** of the largest part, in picture units */
  width: number
  height: number
}

export interface View {
  areas: Drawn[]
  project: (p: Point) => Point
}

interface Box {
  west: number
  east: number
  south: number
  north: number
}

const PAD = 14 // round the picture
const MOST_ZOOM = 2400 // picture units a degree: a single small county is not blown up to nothing but its corners

function boxOf(outlines: readonly Outline[]): Box {
  const box = { west: Infinity, east: -Infinity, south: Infinity, north: -Infinity }
  for (const o of outlines)
    for (const rings of o.polygons)
      for (const [lng, lat] of rings[0] ?? []) {
        box.west = Math.min(box.west, lng)
        box.east = Math.max(box.east, lng)
        box.south = Math.min(box.south, lat)
        box.north = Math.max(box.north, lat)
      }
  return box
}

// Sansha's islands lie so far from Hainan that with them nothing else could be seen; they stand in the list beside the map.
const FAR = ['460300']

/** Twice the area of a ring, and where its middle is. */
function middle(ring: readonly Point[]): { area: number; at: Point } {
  let area = 0
  let x = 0
  let y = 0
  for (let i = 0; i < ring.length - 1; i++) {
    const [ax, ay] = ring[i] as Point
    const [bx, by] = ring[i + 1] as Point
    const cross = ax * by - bx * ay
    area += cross
    x += (ax + bx) * cross
    y += (ay + by) * cross
  }
  const first = ring[0] ?? [0, 0]
  return area ? { area: Math.abs(area), at: [x / (3 * area), y / (3 * area)] } : { area: 0, at: [first[0], first[1]] }
}

const round = (n: number): number => Math.round(n * 10) / 10

export function pathOf(rings: readonly (readonly Point[])[]): string {
  return rings.map((ring) => `M${ring.map(([x, y]) => `${round(x)} ${round(y)}`).join('L')}Z`).join('')
}

/** Draws areas as large as a picture allows; focus: those that fill it, where not all do. */
export function draw(outlines: readonly Outline[], width: number, height: number, focus?: string): View {
  const near = outlines.filter((o) => !FAR.includes(o.code))
  const focused = near.filter((o) => o.code === focus)
  const box = boxOf(focused.length ? focused : near)
  const stretch = Math.cos((((box.south + box.north) / 2) * Math.PI) / 180)
  const wide = (box.east - box.west) * stretch
  const high = box.north - box.south
  const scale = Math.min((width - 2 * PAD) / wide, (height - 2 * PAD) / high, MOST_ZOOM)
  const left = (width - wide * scale) / 2
  const top = (height - high * scale) / 2
  const project = ([lng, lat]: Point): Point => [
    left + (lng - box.west) * stretch * scale,
    top + (box.north - lat) * scale,
  ]
  return { project, areas: outlines.map((o) => drawn(o, project)) }
}

function drawn(o: Outline, project: (p: Point) => Point): Drawn {
  let d = ''
  let best = { area: -1, at: [0, 0] as Point }
  let size: Point = [0, 0]
  for (const rings of o.polygons) {
    const flat = rings.map((ring) => ring.map(project))
    d += pathOf(flat)
    const outer = flat[0] ?? []
    const m = middle(outer)
    if (m.area <= best.area) continue
    best = m
    const xs = outer.map((p) => p[0])
    const ys = outer.map((p) => p[1])
    size = [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)]
  }
  return { code: o.code, name: o.name, d, at: best.at, width: size[0], height: size[1] }
}

export type Arrow = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight'
export const isArrow = (key: string): key is Arrow => /^Arrow(Up|Down|Left|Right)$/.test(key)

const SIDEWAYS = 2 // what lies straight ahead is preferred to what lies aside

/** The area next to one in a direction; undefined when there is none. From nowhere: the first. */
export function nextArea<T extends { code: string; at: Point }>(
  areas: readonly T[],
  from: string,
  arrow: Arrow,
): T | undefined {
  const here = areas.find((a) => a.code === from)
  if (!here) return areas[0]
  const across = arrow === 'ArrowLeft' || arrow === 'ArrowRight'
  const sign = arrow === 'ArrowRight' || arrow === 'ArrowDown' ? 1 : -1
  let best: T | undefined
  let least = Infinity
  for (const a of areas) {
    const dx = a.at[0] - here.at[0]
    const dy = a.at[1] - here.at[1]
    const ahead = (across ? dx : dy) * sign
    const aside = Math.abs(across ? dy : dx)
    if (a.code === from || ahead <= 0.5) continue
    const cost = ahead + SIDEWAYS * aside
    if (cost < least) {
      least = cost
      best = a
    }
  }
  return best
}

/** Names that do not lie on each other: those that matter most first. */
export function readable<T extends { code: string; at: Point; text: string; must: number }>(
  labels: readonly T[],
  size: number,
): T[] {
  const kept: { x: number; y: number; w: number }[] = []
  const out: T[] = []
  for (const l of [...labels].sort((a, b) => b.must - a.must)) {
    const w = textWidth(l.text, size) / 2
    const [x, y] = l.at
    if (kept.some((k) => Math.abs(k.x - x) < k.w + w && Math.abs(k.y - y) < size * 1.1)) continue
    kept.push({ x, y, w })
    out.push(l)
  }
  return out
}

const textWidth = (text: string, size: number): number =>
  Array.from(text).reduce((w, c) => w + (c.charCodeAt(0) < 128 ? 0.6 : 1) * size, 0)
