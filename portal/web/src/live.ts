// The live stream: one EventSource a page, so that a browser's six connections to a site are not used up.
import { onScopeDispose, ref, type Ref } from 'vue'
import type { Change, Latest } from './api'
import { learnClock, withQuery } from './client'

type Listener = (change: Change) => void

const RETRY_MS = 3000
const listeners = new Set<Listener>()
const readers = new Set<(latest: Latest) => void>()
let source: EventSource | undefined
let enterprise = ''
let retry: ReturnType<typeof setTimeout> | undefined
let away = false // whether the stream was away, and what was read may be old

/** Whether changes arrive now. */
export const connected: Ref<boolean> = ref(false)

/** What listeners get when the stream was away: anything may have changed. */
export const ANYTHING = '*'
const anything: Change = { type: ANYTHING, key: '', origin: '', seq: 0, time: 0 }

function parse(event: Event): unknown {
  try {
    return JSON.parse((event as MessageEvent<string>).data)
  } catch {
    return undefined
  }
}

function announce(change: Change): void {
  for (const listener of [...listeners]) listener(change)
}

function connect(): void {
  clearTimeout(retry)
  source?.close()
  const stream = new EventSource(withQuery('/api/v1/events', { enterprise }))
  source = stream
  stream.onopen = () => {
    connected.value = true
    if (away) announce(anything)
    away = false
  }
  stream.onerror = () => {
    if (source !== stream) return
    connected.value = false
    away = true
    if (stream.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MS)
  }
  stream.addEventListener('hello', (event) => {
    const time = (parse(event) as { time?: number } | undefined)?.time
    if (time) learnClock(time)
  })
  // We were too slow, and changes were left out.
  stream.addEventListener('resync', () => announce(anything))
  stream.addEventListener('change', (event) => {
    const change = parse(event) as Change | undefined
    if (change) announce(change)
  })
  stream.addEventListener('latest', (event) => {
    const latest = parse(event) as Latest | undefined
    if (latest) for (const reader of [...readers]) reader(latest)
  })
}

// The device knows at once that its network went or came; the stream would find out later.
window.addEventListener('offline', () => (connected.value = false))
window.addEventListener('online', () => source && connect())

/** Opens the stream when a person has logged in. */
export function openLive(): void {
  if (!source) connect()
}

/** Closes it when they log out. */
export function closeLive(): void {
  clearTimeout(retry)
  source?.close()
  source = undefined
  away = false
  connected.value = false
}

/** Calls back for every change while the calling component lives. */
export function onChange(listener: Listener): void {
  listeners.add(listener)
  onScopeDispose(() => listeners.delete(listener))
}

/** Calls back with an enterprise's readings, at most once a second, while the calling component lives. */
export function onLatest(code: string, reader: (latest: Latest) => void): void {
  const mine = (latest: Latest): void => {
    if (latest.enterprise === code) reader(latest)
  }
  readers.add(mine)
  if (enterprise !== code) {
    enterprise = code
    if (source) connect()
  }
  onScopeDispose(() => readers.delete(mine))
}
