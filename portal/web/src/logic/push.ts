// Web push and quiet hours, as far as they can be reckoned without a browser.

/** A VAPID public key as browsers want it: the bytes of its base64url. */
export function keyBytes(key: string): Uint8Array<ArrayBuffer> {
  const text = atob(
    key
      .trim()
      .replace(/-/g, '+')
      .replace(/_/g, '/')
      .padEnd(Math.ceil(key.trim().length / 4) * 4, '='),
  )
  const out = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i)
  return out
}

export type PushSupport = 'ok' | 'insecure' | 'unsupported' | 'denied'

/** Whether a browser can be pushed to. An http page is told apart, for it has an easy remedy. */
export function pushSupport(has: {
  secure: boolean
  worker: boolean
  push: boolean
  permission: string | undefined
}): PushSupport {
  if (!has.secure) return 'insecure'
  if (!has.worker || !has.push || has.permission === undefined) return 'unsupported'
  return has.permission === 'denied' ? 'denied' : 'ok'
}

const DAY_MIN = 1440
const two = (n: number): string => String(n).padStart(2, '0')

/** Minutes of the day as an input of type time has them: 1350 -> 22:30. */
export function timeOf(minutes: number | undefined): string {
  const m = (((minutes ?? 0) % DAY_MIN) + DAY_MIN) % DAY_MIN
  return `${two(Math.floor(m / 60))}:${two(m % 60)}`
}

/** And back; nothing for what is no time of day. */
export function minutesOf(time: string): number | undefined {
  const match = /^(\d{1,2}):(\d{2})$/.exec(time)
  const [h, m] = [Number(match?.[1] ?? NaN), Number(match?.[2] ?? NaN)]
  return h < 24 && m < 60 ? h * 60 + m : undefined
}
