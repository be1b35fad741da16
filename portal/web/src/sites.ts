// Names of the sites whose records are shown.
import { shallowRef } from 'vue'
import type { Federation } from './api'
import { get } from './client'
import { useText } from './i18n'
import { isRegulator, useSession } from './session'

const names = shallowRef<Record<string, string>>({})
let asked = false

/** Regulators may ask who the neighbours are; it is asked once. Who may not sees ids. */
async function ask(): Promise<void> {
  if (asked || !isRegulator.value) return
  asked = true
  try {
    const f = await get<Federation>('/federation')
    names.value = Object.fromEntries((f.children ?? []).map((c) => [c.site.id, c.site.name]))
  } catch {
    asked = false // next time, then
  }
}

/** The name of a site by its id; the word for its level, or the id, where the name is not known here. */
export function useSiteName(): (id: string | undefined) => string {
  const { code } = useText()
  const session = useSession()
  void ask()
  return (id) => {
    if (!id) return '–'
    const own = session.value?.site
    return own?.id === id ? own.name : (names.value[id] ?? code('site_level', id))
  }
}
