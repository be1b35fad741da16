// English texts of what works without a network.
import type { checkInZh, offlineZh } from './offline.zh'

export const offlineEn: typeof offlineZh = {
  asOf: 'Offline, data as of {time}',
  noData: 'Offline, the site cannot be reached. No live data is shown; cleaning can be checked in as usual.',
  newVersion: 'A new version is there',
  renew: 'Update',
  leaveTitle: '{n} check-in(s) not sent yet',
  leaveText: 'Logging out deletes the check-ins and photos that wait on this device.',
  leave: 'Delete and log out',
  stay: 'Stay',
}

export const checkInEn: typeof checkInZh = {
  kept: 'Kept; sent when there is a network',
  waiting: '{n} to be sent',
  refused: '{n} not accepted',
  waitingHint: 'Check-ins are kept on this device and sent when there is a network.',
  sendNow: 'Send now',
  sending: 'Sending…',
  again: 'Send again',
  discard: 'Delete',
  discardSure: 'Tap again to delete',
  photos: '{n} photo(s)',
  full: '{n} check-ins wait on this device already. Please connect first.',
  noStore: 'This device keeps no data (private browsing?). Please check in while connected.',
  noPlace: 'no location',
  deviceClock: "(device's clock)",
  doneAt: 'Done {time}',
  sentAt: 'arrived {time}',
  doubtful: "Device's clock in doubt",
  doubtfulHint: "The time is the device's, whose clock could not be held against the site's.",
  calendar: 'Calendar',
  before: 'Month before',
  after: 'Month after',
  month: '{y}-{m}',
  week: 'MTWTFSS',
  day: { done: 'Done', part: 'Partly done', missed: 'Missed', open: 'To be done', none: 'Nothing planned' },
  ofDay: '{day}: {state}, {done} of {due} checked in',
  missedOf: 'Missed: {items}',
  nothing: 'No check-in that day',
}
