// Who is logged in.
import { computed, shallowRef } from 'vue'
import type { Router } from 'vue-router'
import type { Session } from './api'
import { ApiError, get, onDue, onSessionLost, post, remove, setToken } from './client'
import { closeLive, openLive } from './live'
import { detour, hearsChanges, homeOf } from './logic/offices'
import { forget } from './resource'

const session = shallowRef<Session>()
let asked: Promise<void> | undefined
let way: Router | undefined

export const useSession = () => session

/** Whether the person is a regulator: they close, the plant disposes. */
export const isRegulator = computed(() => session.value?.portal === 'regulator')

/** Whether a record belongs to the site that is looked at: only its own site can act on it. */
export const isOwn = (origin: string | undefined): boolean => !origin || origin === session.value?.site.id

function begin(s: Session): void {
  if (s.user.login !== session.value?.user.login) forget()
  session.value = s
  setToken(s.csrf)
  if (hearsChanges(s)) openLive()
  else closeLive()
}

function end(): void {
  forget()
  session.value = undefined
  setToken('')
  closeLive()
}

export async function logIn(login: string, password: string, code = ''): Promise<void> {
  begin(await post<Session>('/session', code ? { login, password, code } : { login, password }))
}

export async function logOut(): Promise<void> {
  await remove('/session').catch((e: unknown) => {
    if (!(e instanceof ApiError)) throw e // ended already: that is what was asked for
  })
  end()
}

async function restore(): Promise<void> {
  try {
    begin(await get<Session>('/session'))
  } catch (e) {
    if (!(e instanceof ApiError)) throw e
  }
}

/** Learns anew what is known of the person after a change of their own account, and leads on when what was due is done. */
export async function refresh(): Promise<void> {
  const wasDue = session.value?.due
  begin(await get<Session>('/session'))
  if (wasDue && session.value && !session.value.due) await way?.replace(homeOf(session.value.user.role))
}

/** Lets nobody past the login page without a session, and brings them back to where they wanted to go. */
export function guard(router: Router): void {
  way = router
  onSessionLost(() => {
    end()
    const at = router.currentRoute.value
    if (at.path !== '/login') void router.replace({ path: '/login', query: { to: at.fullPath, ended: '1' } })
  })
  onDue(() => {
    if (!session.value?.due) void refresh().then(() => session.value?.due && router.replace('/account'))
  })
  router.beforeEach(async (to) => {
    await (asked ??= restore())
    if (to.path === '/login') return session.value ? { path: '/' } : true
    if (session.value) return detour(session.value, to.path) ?? true
    return { path: '/login', query: to.fullPath === '/' ? {} : { to: to.fullPath } }
  })
}
