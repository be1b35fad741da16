// Outlines of regions, loaded when a map first shows them: the nation's provinces, then one file for each province. They are made by
// tools/map, which says where they come from and how a site puts its own in their place.
import { feature } from 'topojson-client'
import type { GeometryCollection, Topology } from 'topojson-specification'
import { prefixOf } from '../logic/regions'
import type { Outline, Polygon } from '../logic/mapview'
import nationUrl from './nation.json?url'

type Areas = Topology<{ areas: GeometryCollection<{ name: string }> }>
interface Nation extends Areas {
  /** the box of the South China Sea: rings of lines */
  southSea: Polygon
}
interface Province {
  cities: Areas
  counties: Record<string, Areas>
}

const provinceUrls = import.meta.glob<string>('./province/*.json', { query: '?url', import: 'default', eager: true })
const files = new Map<string, Promise<unknown>>()

function read<T>(url: string): Promise<T> {
  let file = files.get(url)
  if (!file) {
    file = fetch(url).then((answer) => {
      if (!answer.ok) throw new Error(`outline: HTTP ${answer.status}`)
      return answer.json() as Promise<unknown>
    })
    file.catch(() => files.delete(url)) // the next look tries again
    files.set(url, file)
  }
  return file as Promise<T>
}

function outlines(areas: Areas): Outline[] {
  return feature(areas, areas.objects.areas).features.flatMap((f) => {
    const g = f.geometry
    const polygons =
      g.type === 'Polygon' ? [g.coordinates] : g.type === 'MultiPolygon' ? g.coordinates : ([] as never[])
    if (!polygons.length) return []
    return [{ code: String(f.id), name: f.properties.name, polygons: polygons as Polygon[] }]
  })
}

export interface Outlines {
  areas: Outline[]
  /** lines that belong to no part: the box of the South China Sea */
  lines: Polygon
}

/** The parts of a region, or of the city around a county; none where there is no outline of them. */
export async function outlinesOf(region: string): Promise<Outlines> {
  const prefix = prefixOf(region)
  if (!prefix) {
    const nation = await read<Nation>(nationUrl)
    return { areas: outlines(nation), lines: nation.southSea }
  }
  const url = provinceUrls[`./province/${prefix.slice(0, 2)}.json`]
  if (!url) return { areas: [], lines: [] }
  const province = await read<Province>(url)
  const city = prefix.slice(0, 4)
  const counties = prefix.length > 2 ? province.counties[city] : undefined
  if (counties) return { areas: outlines(counties), lines: [] }
  // Districts of a municipality and counties without a city stand among a province's cities.
  return { areas: outlines(province.cities).filter((a) => a.code.startsWith(city)), lines: [] }
}
