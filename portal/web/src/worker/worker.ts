// Service worker of the plant's portal. It keeps the portal's own files, so that the portal starts without a network, and nothing of
// the API: what a page shows was either just answered, or says of when it is. It shows pushed calls and sends check-ins that wait.
import {
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  precacheAndRoute,
  type PrecacheEntry,
} from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'
import { sendWaiting } from '../offline/send'
import { OUTBOX, RENEW } from '../offline/words'
import { openCall, showCall } from './push'

declare const self: ServiceWorkerGlobalScope
declare const __SHELL__: PrecacheEntry[]

/** The event of background sync, which TypeScript does not know. */
interface SyncEvent extends ExtendableEvent {
  tag: string
}

cleanupOutdatedCaches()
precacheAndRoute(__SHELL__)
registerRoute(new NavigationRoute(createHandlerBoundToURL('/enterprise.html'), { denylist: [/^\/api\//] }))

// The first worker takes the page that it came with, so that this page may be loaded again without a network.
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

// A new version waits until the person takes it: a page is not exchanged under somebody's hands.
self.addEventListener('message', (event) => {
  if (event.data === RENEW) void self.skipWaiting()
})

self.addEventListener('push', (event) => event.waitUntil(showCall(self.registration, event.data)))

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(openCall(self.clients, self.location.origin, event.notification.data))
})

self.addEventListener('sync', (event) => {
  if ((event as SyncEvent).tag === OUTBOX) (event as SyncEvent).waitUntil(sendWaiting())
})
