// Sends the check-ins that wait, one after the other. Used by the page and by its service worker; only one of them at a time.
import type { Session } from '../api'
import { ApiError, clock, get, post, setToken, upload } from '../client'
import { afterRefusal, timeOfDoing } from '../logic/checkin'
import { anyWaiting, drop, put, waitingOf, type CheckIn } from './store'
import { OUTBOX } from './words'

/** Says to every page of this device that what waits has changed. */
export function tellWaiting(): void {
  const channel = new BroadcastChannel(OUTBOX)
  channel.postMessage('changed')
  channel.close()
}

let sending: Promise<void> | undefined

/** Sends what waits of whoever is logged in. It fails when the network does: then it is to be tried again. */
export function sendWaiting(): Promise<void> {
  sending ??= alone(sendAll).finally(() => (sending = undefined))
  return sending
}

/** Pages that are not served over TLS have no locks: there is one sender in each page then, and the site takes a record once. */
async function alone(work: () => Promise<void>): Promise<void> {
  if (!('locks' in navigator)) return work()
  await navigator.locks.request(OUTBOX, { ifAvailable: true }, (lock) => (lock ? work() : undefined))
}

async function sendAll(): Promise<void> {
  if (!(await anyWaiting())) return
  const session = await get<Session>('/session')
  setToken(session.csrf)
  for (const c of await waitingOf(session.user.login)) {
    if (!c.refused) await sendOne(c)
  }
}

async function sendOne(c: CheckIn): Promise<void> {
  try {
    const photos: string[] = []
    for (const [i, photo] of c.photos.entries()) {
      if (!photo.id && photo.blob) {
        photo.id = (await upload(photo.blob, `${c.id}-${i + 1}.jpg`)).id
        delete photo.blob
        await put(c)
      }
      if (photo.id) photos.push(photo.id)
    }
    if (!c.said) {
      c.said = timeOfDoing(c, clock().offset)
      await put(c)
    }
    await post('/cleaning/records', {
      id: c.id,
      plan: c.plan,
      item: c.item,
      person: c.person,
      photos,
      note: c.note,
      lng: c.lng,
      lat: c.lat,
      ...c.said,
    })
    await drop(c.id)
    tellWaiting()
  } catch (e) {
    if (!(e instanceof ApiError) || afterRefusal(e.status) !== 'person') throw e
    await put({ ...c, refused: { status: e.status, problem: e.problem } })
    tellWaiting()
  }
}
