// Who is logged in.
import { computed, shallowRef, watch } from 'vue'
import type { Router } from 'vue-router'
import type { Logout, Session } from './api'
import { ApiError, get, onDue, onSessionLost, post, remove, setToken } from './client'
import { closeLive, connected, openLive } from './live'
import { detour, hearsChanges, homeOf } from './logic/offices'
import { forget } from './resource'

const session = shallowRef<Session>()
let asked: Promise<void> | undefined
const LEAVING = 'dusthub.leaving' // somebody logged out where the site could not be told
let way: Router | undefined

export const useSession = () => session

/** Keeps who is logged in on the device, where a portal is to work without a network. */
export interface Keeper {
  keep: (session: Session) => void
  kept: () => Promise<Session | undefined>
  forget: () => void
}
let keeper: Keeper | undefined

export function keepSession(by: Keeper): void {
  keeper = by
}

/** Whether the person is a regulator: they close, the plant disposes. */
export const isRegulator = computed(() => session.value?.portal === 'regulator')

/** Whether a record belongs to the site that is looked at: only its own site can act on it. */
export const isOwn = (origin: string | undefined): boolean => !origin || origin === session.value?.site.id

function begin(s: Session): void {
  if (s.user.login !== session.value?.user.login) forget()
  session.value = s
  setToken(s.csrf)
  if (s.csrf) keeper?.keep(s)
  if (hearsChanges(s)) openLive()
  else closeLive()
}

function end(): void {
  forget()
  session.value = undefined
  keeper?.forget()
  setToken('')
  closeLive()
}

/** What a login is made of; what was not asked for is empty. */
export interface Credentials {
  login: string
  password: string
  code?: string | undefined
  captcha?: string | undefined
  answer?: string | undefined
}

export async function logIn(given: Credentials): Promise<void> {
  localStorage.removeItem(LEAVING)
  begin(await post<Session>('/session', Object.fromEntries(Object.entries(given).filter(([, value]) => value))))
}

/** Completes a login by the provider with the code of this site's second factor. */
export async function finishByProvider(code: string): Promise<void> {
  localStorage.removeItem(LEAVING)
  begin(await post<Session>('/session/sso', { code }))
}

/** Ends the session, and leads to the provider where it is to be ended there too. */
export async function logOut(): Promise<void> {
  const left = await remove<Logout | undefined>('/session').catch((e: unknown) => {
    if (!(e instanceof ApiError)) throw e // ended already: that is what was asked for
    if (e.status === 0) localStorage.setItem(LEAVING, '1') // the site is told when it can be reached
    return undefined
  })
  end()
  if (left?.next) location.assign(left.next)
}

async function restore(): Promise<void> {
  const leaving = localStorage.getItem(LEAVING) !== null
  try {
    begin(await get<Session>('/session'))
    localStorage.removeItem(LEAVING)
    if (leaving) await logOut()
  } catch (e) {
    if (!(e instanceof ApiError)) throw e
    if (e.status === 401) keeper?.forget()
    const before = e.status === 0 && !leaving ? await keeper?.kept() : undefined
    if (before) begin(before) // may do nothing at the site until the site has said so again: it has no token
  }
}

/** Learns from the site who is logged in once it can be reached, where that was only known from before. */
export async function confirm(): Promise<void> {
  if (!session.value || session.value.csrf) return
  try {
    begin(await get<Session>('/session'))
  } catch (e) {
    if (!(e instanceof ApiError)) throw e
    if (e.status === 401) lose()
  }
}

/** Learns anew what is known of the person after a change of their own account, and leads on when what was due is done. */
export async function refresh(): Promise<void> {
  const wasDue = session.value?.due
  begin(await get<Session>('/session'))
  if (wasDue && session.value && !session.value.due) await way?.replace(homeOf(session.value.user.role))
}

function lose(): void {
  end()
  const at = way?.currentRoute.value
  if (at && at.path !== '/login') void way?.replace({ path: '/login', query: { to: at.fullPath, ended: '1' } })
}

/** Lets nobody past the login page without a session, and brings them back to where they wanted to go. */
export function guard(router: Router): void {
  way = router
  onSessionLost(lose)
  watch(connected, (is) => is && void confirm())
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
