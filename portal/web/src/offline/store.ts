// What the plant's portal keeps on the device: check-ins that wait for the network, and the little that a check-in needs when there is
// none (who is logged in, the plan, how far the device's clock is off). Nothing of it is ever shown as live.
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Problem } from '../api'

/** A photo that waits, or the id that the site gave it. */
export interface KeptPhoto {
  blob?: Blob
  id?: string
}

/** A check-in as it was made. It belongs to who made it, and is sent in nobody else's name. */
export interface CheckIn {
  id: string
  login: string
  plan: string
  item: string
  person: string
  note: string
  lng?: number
  lat?: number
  photos: KeptPhoto[]
  /** when it was made by the device's clock, ms */
  device: number
  /** the site's clock minus the device's, ms, as far as it was known then */
  offset: number
  /** whether it was ever known */
  measured: boolean
  /** what was said of the time when it was first sent: sent again, it is the same record */
  said?: { time: number; clock_offset_ms: number; clock_doubtful: boolean }
  /** why the site did not take it; it is kept until the person decides */
  refused?: { status: number; problem: Problem }
}

/** Something read before, and when, by the site's clock, ms. */
export interface Kept<T> {
  at: number
  value: T
}

interface Shape extends DBSchema {
  kept: { key: string; value: Kept<unknown> }
  outbox: { key: string; value: CheckIn; indexes: { device: number } }
}

let opening: Promise<IDBPDatabase<Shape>> | undefined

function open(): Promise<IDBPDatabase<Shape>> {
  opening ??= openDB<Shape>('dusthub', 1, {
    upgrade(db) {
      db.createObjectStore('kept')
      db.createObjectStore('outbox', { keyPath: 'id' }).createIndex('device', 'device')
    },
    terminated: () => (opening = undefined),
  })
  return opening
}

export async function keep(name: string, value: unknown, at: number): Promise<void> {
  await (await open()).put('kept', { at, value: JSON.parse(JSON.stringify(value)) as unknown }, name)
}

export async function kept<T>(name: string): Promise<Kept<T> | undefined> {
  return (await (await open()).get('kept', name)) as Kept<T> | undefined
}

/** Forgets all that was read. What waits to be sent is not touched: it is somebody's work. */
export async function forget(): Promise<void> {
  await (await open()).clear('kept')
}

export async function put(checkIn: CheckIn): Promise<void> {
  await (await open()).put('outbox', checkIn)
}

/** The check-ins of a person that wait, oldest first. */
export async function waitingOf(login: string): Promise<CheckIn[]> {
  const all = await (await open()).getAllFromIndex('outbox', 'device')
  return all.filter((c) => c.login === login)
}

export async function drop(id: string): Promise<void> {
  await (await open()).delete('outbox', id)
}

/** Whether anybody's check-in waits on this device. */
export async function anyWaiting(): Promise<boolean> {
  return (await (await open()).count('outbox')) > 0
}
