// What is kept of the person's session and of the plan, so that a check-in can be made where there is no network.
import { shallowRef } from 'vue'
import type { Session } from '../api'
import { ApiError, clock, serverNow, setClock } from '../client'
import { keepSession } from '../session'
import { forget, keep, kept } from './store'

const LONGEST_MS = 12 * 3_600_000 // as long as a session may last at all

/** When what is shown was read, ms, if it was read before and not now; by name. */
export const readAt = shallowRef<Record<string, number>>({})

/** Keeps who is logged in, without what would let anybody act in their name, until they log out or the session ends. */
export function keepPerson(): void {
  keepSession({
    keep: (session) => {
      void keep('session', { ...session, csrf: '' }, serverNow()).catch(() => undefined)
      void keep('clock', clock().offset, serverNow()).catch(() => undefined)
    },
    kept: async () => {
      const offset = await kept<number>('clock').catch(() => undefined)
      if (offset) setClock(offset.value)
      const session = await kept<Session>('session').catch(() => undefined)
      return session && serverNow() - session.at < LONGEST_MS ? session.value : undefined
    },
    forget: () => {
      readAt.value = {}
      void forget().catch(() => undefined)
    },
  })
}

/** Reads, and keeps what was read; without a network it gives what was kept, and says of when that is. */
export async function readOrKept<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    const value = await read()
    readAt.value = { ...readAt.value, [name]: 0 }
    void keep(name, value, serverNow()).catch(() => undefined)
    return value
  } catch (e) {
    const before = e instanceof ApiError && e.status === 0 ? await kept<T>(name).catch(() => undefined) : undefined
    if (!before) throw e
    readAt.value = { ...readAt.value, [name]: before.at }
    return before.value
  }
}
