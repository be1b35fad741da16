// Languages: Chinese first, English by a switch that is remembered. English is loaded when it is first wanted.
import type { Ref } from 'vue'
import { createI18n } from 'vue-i18n'
import type { Messages } from './zh'
import { zh } from './zh'

export type Locale = 'zh' | 'en'
const KEY = 'dusthub.locale'

const first: string = 'zh'
const messages: Record<string, Messages> = { zh }

export const i18n = createI18n({ legacy: false, locale: first, fallbackLocale: first, messages })
const { global } = i18n

/** Shows the pages in a language from now on. */
export async function setLocale(locale: Locale): Promise<void> {
  if (locale === 'en' && !global.availableLocales.includes('en')) {
    global.setLocaleMessage('en', (await import('./en')).en)
  }
  global.locale.value = locale
  document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en'
  try {
    localStorage.setItem(KEY, locale)
  } catch {
    // a browser that keeps nothing shows Chinese next time
  }
}

/** The language chosen before, if any; from then on, what is chosen in another tab. */
export async function restoreLocale(): Promise<void> {
  window.addEventListener('storage', (e) => {
    if (e.key === KEY) void setLocale(e.newValue === 'en' ? 'en' : 'zh')
  })
  let kept: string | null = null
  try {
    kept = localStorage.getItem(KEY)
  } catch {
    // as above
  }
  await setLocale(kept === 'en' ? 'en' : 'zh')
}

export type CodeTable = keyof Messages['code']

/** Texts, and names of codes. */
export function useText() {
  const locale = global.locale as Ref<Locale>

  /** The text of a key, with what belongs into it. */
  const t = (key: string, named: Record<string, unknown> = {}): string => global.t(key, named)

  /** Whether there is a text for a key. */
  const has = (key: string): boolean => global.te(key, 'zh')

  /** The name of a code in the page's language; what the site calls it otherwise. */
  function code(table: CodeTable, value: string | undefined, fallback?: string): string {
    if (!value) return fallback ?? '–'
    if (locale.value === 'zh' && fallback) return fallback
    const key = `code.${table}.${value}`
    return has(key) ? t(key) : (fallback ?? value)
  }

  /** Names one after another, as the language does it. */
  const list = (names: readonly string[]): string => names.join(locale.value === 'zh' ? '、' : ', ')

  return { t, has, code, list, locale }
}
