// When a check-in was made, as far as the device's clock can tell.

/** How far the clock may have moved between doing and sending before it is doubted, ms. */
const SLACK_MS = 60_000

/** How many check-ins may wait on a device. A site is away for days at most; a plant has some ten a day. */
export const MOST_WAITING = 50

export interface Said {
  time: number
  clock_offset_ms: number
  clock_doubtful: boolean
}

/**
 * The time of doing by the site's clock: the device's clock and what it was off by then. It is doubtful when that was not known, or when
 * the clock was set between doing and sending: then nobody can tell which of the two was right.
 */
export function timeOfDoing(done: { device: number; offset: number; measured: boolean }, offsetNow: number): Said {
  const offset = done.measured ? done.offset : offsetNow
  return {
    time: Math.round(done.device + offset),
    clock_offset_ms: Math.round(offset),
    clock_doubtful: !done.measured || Math.abs(offsetNow - done.offset) > SLACK_MS,
  }
}

/** What to do after a refusal: try again later, log in first, or leave it to the person. */
export function afterRefusal(status: number): 'later' | 'login' | 'person' {
  if (status === 401) return 'login'
  return status === 0 || status === 408 || status === 429 || status >= 500 ? 'later' : 'person'
}

const two = (n: number): string => String(n).padStart(2, '0')

/** The lines that are written on a photo: plant, what and who, when, where. */
export function stampLines(
  of: {
    plant: string
    item: string
    person: string
    time: number
    place?: { lng: number; lat: number; accuracy?: number }
  },
  words: { noPlace: string; deviceClock: string },
  clockKnown: boolean,
): string[] {
  const d = new Date(of.time)
  const when = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
  const at = of.place
  const where = at
    ? `${at.lat.toFixed(5)}, ${at.lng.toFixed(5)}${at.accuracy ? ` ±${Math.round(at.accuracy)} m` : ''}`
    : words.noPlace
  return [of.plant, `${of.item} · ${of.person}`, clockKnown ? when : `${when} ${words.deviceClock}`, where]
}
