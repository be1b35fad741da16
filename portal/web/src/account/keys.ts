// Names of the routes that a key can open.
import type { KeyRoute } from '../api'
import { useText } from '../i18n'

/** A route's name in the page's language; what the API calls it where we have no word. */
export function useRouteName(): (id: string, summary?: string) => string {
  const { t, has, locale } = useText()
  return (id, summary) =>
    locale.value === 'zh' && has(`account.keys.route.${id}`) ? t(`account.keys.route.${id}`) : (summary ?? id)
}

/** Routes by group, in the order the API tells them. */
export function byTag(routes: readonly KeyRoute[]): [string, KeyRoute[]][] {
  const groups = new Map<string, KeyRoute[]>()
  for (const r of routes) groups.set(r.tag, [...(groups.get(r.tag) ?? []), r])
  return [...groups]
}
