// A call that the site pushed is shown, and opens what it is about.
interface Call {
  id?: string
  title?: string
  text?: string
  subject?: string
  priority?: string
}

const PAGES: Record<string, string> = { Alarm: '/alarms/', Warning: '/warnings/' }

/** The page of a call's subject, "Alarm/…" or "Warning/…"; the start page for anything else. */
export function pageOf(subject: string | undefined): string {
  const at = (subject ?? '').indexOf('/')
  const base = PAGES[(subject ?? '').slice(0, Math.max(at, 0))]
  return base && subject ? base + encodeURIComponent(subject.slice(at + 1)) : '/'
}

/** What cannot be read is still a call: it says that there is one. */
function read(data: PushMessageData | null): Call {
  try {
    return (data?.json() ?? {}) as Call
  } catch {
    return {}
  }
}

export function showCall(registration: ServiceWorkerRegistration, data: PushMessageData | null): Promise<void> {
  const call = read(data)
  const grave = call.priority === 'critical'
  const tag = call.subject || call.id
  // renotify and vibrate are not in TypeScript's list of what a notification takes
  const options: NotificationOptions & { renotify: boolean; vibrate: number[] } = {
    body: call.text || '有新的报警或预警，请打开查看。',
    renotify: Boolean(tag),
    requireInteraction: grave,
    vibrate: grave ? [400, 150, 400, 150, 400] : [200, 100, 200],
    data: { to: pageOf(call.subject) },
    ...(tag ? { tag } : {}),
  }
  return registration.showNotification(call.title || '粉尘安全', options)
}

/** Opens the page of a call in a window that is there, or in a new one. */
export async function openCall(clients: Clients, origin: string, data: unknown): Promise<void> {
  const to = new URL((data as { to?: string } | undefined)?.to ?? '/', origin).href
  for (const client of await clients.matchAll({ type: 'window' })) {
    await client.focus()
    await client.navigate(to)
    return
  }
  await clients.openWindow(to)
}
