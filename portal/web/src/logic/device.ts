// A few words for what a browser says of itself.
const BROWSERS = [
  ['MicroMessenger', '微信 WeChat'],
  ['Edg/', 'Edge'],
  ['Firefox/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
] as const
const SYSTEMS = [
  ['HarmonyOS', 'HarmonyOS'],
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS', 'macOS'],
  ['Linux', 'Linux'],
] as const

const first = (agent: string, words: readonly (readonly [string, string])[]): string =>
  words.find(([mark]) => agent.includes(mark))?.[1] ?? ''

/** Browser and system; the beginning of what is said where neither is known. */
export function deviceOf(agent: string | undefined): string {
  if (!agent) return ''
  return [first(agent, BROWSERS), first(agent, SYSTEMS)].filter(Boolean).join(' · ') || agent.slice(0, 40)
}
