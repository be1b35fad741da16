// Turns web push on and off on this device.
import { get } from '../client'
import { registerWorker } from '../offline/version'
import { keyBytes, pushSupport, type PushSupport } from '../logic/push'

/** How this browser stands to push. */
export function support(): PushSupport {
  return pushSupport({
    secure: window.isSecureContext,
    worker: 'serviceWorker' in navigator,
    push: 'PushManager' in window,
    permission: 'Notification' in window ? Notification.permission : undefined,
  })
}

/** The subscription of this device, if it has one. */
export async function subscribed(): Promise<PushSubscription | null> {
  if (support() !== 'ok') return null
  const worker = await navigator.serviceWorker.getRegistration('/')
  return (await worker?.pushManager.getSubscription()) ?? null
}

/** Asks the person and the browser; nothing when the person says no. */
export async function subscribe(): Promise<PushSubscriptionJSON | undefined> {
  if ((await Notification.requestPermission()) !== 'granted') return undefined
  if (!(await registerWorker())) return undefined
  const worker = await navigator.serviceWorker.ready
  const { key } = await get<{ key: string }>('/push-key')
  const subscription = await worker.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: keyBytes(key),
  })
  return subscription.toJSON()
}
