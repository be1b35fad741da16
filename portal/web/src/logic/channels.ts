// Channels of notices as the API takes them.
import type { Channel as Stored, Priority } from '../api'

/** What a person sets of a channel. */
type Channel = Pick<Stored, 'id' | 'kind' | 'name' | 'quiet_from' | 'quiet_until' | 'disabled'> & {
  priority?: Priority | ''
}

export type Settings = Partial<Pick<Channel, 'name' | 'priority' | 'quiet_from' | 'quiet_until' | 'disabled'>>

/**
 * The whole of a channel with some settings changed: what a rewriting leaves out is cleared by the site, all but the address,
 * which stays. A setting that is empty is left out.
 */
export function rewritten(channel: Channel, changes: Settings): Channel {
  const { id, kind, name, priority, quiet_from, quiet_until, disabled } = { ...channel, ...changes }
  return {
    id,
    kind,
    ...(name ? { name } : {}),
    ...(priority ? { priority } : {}),
    ...(quiet_from ? { quiet_from } : {}),
    ...(quiet_until ? { quiet_until } : {}),
    ...(disabled ? { disabled } : {}),
  }
}

/** Kinds of channels whose address a person writes. */
export const ADDRESSED = ['email', 'webhook', 'sms'] as const
export type Addressed = (typeof ADDRESSED)[number]

const SHAPES: Record<Addressed, RegExp> = {
  email: /^[^\s@]+@[^\s@]+\.[^\s@]+$/,
  webhook: /^https?:\/\/\S+$/,
  sms: /^\+?\d{5,15}$/,
}

/** Whether an address can be one of its kind; the site judges it once more, and strictly. */
export const looksLike = (kind: Addressed, address: string): boolean => SHAPES[kind].test(address.trim())
