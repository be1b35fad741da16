// Names that the page and its service worker call each other by.

/** Tag of a background sync, name of the lock that a sender holds, and of the channel that says when what waits has changed. */
export const OUTBOX = 'dusthub-outbox'

/** Asks a new service worker that waits to take over. */
export const RENEW = 'renew'
