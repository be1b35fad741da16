// The check-ins of whoever is logged in that wait on this device, and when they are sent.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { connected } from '../live'
import { MOST_WAITING } from '../logic/checkin'
import { useSession } from '../session'
import { sendWaiting, tellWaiting } from './send'
import { drop, put, waitingOf, type CheckIn } from './store'
import { OUTBOX } from './words'

const AGAIN_MS = 30_000
const waiting = shallowRef<CheckIn[]>([])
const busy = ref(false)
const session = useSession()

async function look(): Promise<void> {
  const login = session.value?.user.login
  waiting.value = login ? await waitingOf(login).catch(() => []) : []
}

/** Sends what waits, if it can be sent now. */
async function flush(): Promise<void> {
  if (busy.value || !session.value) return
  busy.value = true
  try {
    await sendWaiting()
  } catch {
    await askForSync() // there is no network, or nobody is logged in: what waits is kept, and shown as waiting
  } finally {
    busy.value = false
    await look()
  }
}

/** A registration of a browser that has background sync, which TypeScript does not know. */
type WithSync = ServiceWorkerRegistration & { sync?: { register(tag: string): Promise<void> } }

/** Where the browser can, it sends when the network is back, even with the page closed. */
async function askForSync(): Promise<void> {
  if (!('serviceWorker' in navigator)) return
  const worker: WithSync | undefined = await navigator.serviceWorker.getRegistration('/').catch(() => undefined)
  await worker?.sync?.register(OUTBOX).catch(() => undefined)
}

/** Keeps a check-in and sends it when it can. False when it went off at once. */
async function add(c: CheckIn): Promise<boolean> {
  await put(c)
  await flush()
  return waiting.value.some((w) => w.id === c.id)
}

async function again(c: CheckIn): Promise<void> {
  const once = { ...c }
  delete once.refused
  await put(once)
  await flush()
}

async function discard(c: CheckIn): Promise<void> {
  await drop(c.id)
  tellWaiting()
  await look()
}

/** Discards all that waits of whoever is logged in. */
async function discardAll(): Promise<void> {
  for (const c of waiting.value) await drop(c.id)
  await look()
}

const full = computed(() => waiting.value.length >= MOST_WAITING)

/** The outbox; what can be sent by itself is what was not refused. */
export function useOutbox() {
  return { waiting, busy, full, add, again, discard, discardAll, flush }
}

/** Looks after the outbox while the calling component lives. */
export function tendOutbox(): void {
  const channel = new BroadcastChannel(OUTBOX)
  channel.onmessage = () => void look()
  const online = (): void => void flush()
  const timer = setInterval(() => waiting.value.some((c) => !c.refused) && void flush(), AGAIN_MS)
  window.addEventListener('online', online)
  watch(connected, (is) => is && void flush())
  watch(
    () => session.value?.user.login,
    () => void look().then(flush),
    { immediate: true },
  )
  onScopeDispose(() => {
    channel.close()
    clearInterval(timer)
    window.removeEventListener('online', online)
  })
}
