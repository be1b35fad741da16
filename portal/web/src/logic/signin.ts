// Ways in: where a login may lead, and what became of one by the provider (portal/sso.go).

/** Why a login by the provider did not succeed. */
export const FAILURES = ['expired', 'cancelled', 'down', 'refused', 'unlinked', 'disabled', 'portal', 'busy'] as const
export type Failure = (typeof FAILURES)[number]

/** The failure a query names; undefined: none that is known. */
export const failureOf = (query: unknown): Failure | undefined => FAILURES.find((f) => f === query)

/** A place within this portal, whatever the query asks for. */
export function localPlace(to: unknown): string {
  if (typeof to !== 'string' || !/^\/(?![/\\])/.test(to)) return '/'
  // Browsers drop control characters, so that "/\t/host" would be another host.
  return /[\u0000-\u0020\\\u007f]/.test(to) ? '/' : to
}

/** Where the button of the provider leads. */
export const providerUrl = (to: string): string =>
  `/api/v1/session/sso${to === '/' ? '' : `?to=${encodeURIComponent(to)}`}`
