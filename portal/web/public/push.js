// Service worker of the plant's portal: shows a call that the site pushed, and opens what it is about. It keeps no pages.
const PAGES = { Alarm: '/alarms/', Warning: '/warnings/' }

/** The page of a call's subject, "Alarm/…" or "Warning/…"; the start page for anything else. */
function pageOf(subject) {
  const at = String(subject ?? '').indexOf('/')
  const base = PAGES[String(subject ?? '').slice(0, at)]
  return base ? base + encodeURIComponent(subject.slice(at + 1)) : '/'
}

self.addEventListener('push', (event) => {
  let call = {}
  try {
    call = event.data?.json() ?? {}
  } catch {
    // what cannot be read is still a call: say that there is one
  }
  event.waitUntil(
    self.registration.showNotification(call.title || '粉尘安全', {
      body: call.text || '有新的报警或预警，请打开查看。',
      tag: call.subject || call.id,
      renotify: Boolean(call.subject || call.id),
      requireInteraction: call.priority === 'critical',
      vibrate: call.priority === 'critical' ? [400, 150, 400, 150, 400] : [200, 100, 200],
      data: { to: pageOf(call.subject) },
    }),
  )
})

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const to = new URL(event.notification.data?.to ?? '/', self.location.origin).href
  event.waitUntil(
    self.clients.matchAll({ type: 'window' }).then(async (open) => {
      for (const client of open) {
        await client.focus()
        if (client.navigate) return client.navigate(to)
      }
      return self.clients.openWindow(to)
    }),
  )
})
