// Languages: Chinese first, English by a switch that is remembered. English is loaded when it is first wanted.
import type { Ref } from 'vue'
import { createI18n } from 'vue-i18n'
import type { Messages } from './zh'
import { zh } from './zh'

export type Locale = 'zh' | 'en'
const KEY = 'dusthub.locale'

export const i18n = createI18n({
  legacy: false,
  locale: 'zh' as string,
  fallbackLocale: 'zh',
  messages: { zh } as Record<string, Messages>,
})

/** Shows the pages in a language from now on. */
export async function setLocale(locale: Locale): Promise<void> {
  if (locale === 'en' && !i18n.global.availableLocales.includes('en')) {
    i18n.global.setLocaleMessage('en', (await import('./en')).en)
  }
  i18n.global.locale.value = locale
  document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en'
  try {
    localStorage.setItem(KEY, locale)
  } catch {
    // a browser that keeps nothing shows Chinese next time
  }
}

/** The language chosen before, if any. */
export async function restoreLocale(): Promise<void> {
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
  const { t, te } = i18n.global
  const locale = i18n.global.locale as Ref<Locale>

  /** The name of a code in the page's language; what the site calls it otherwise. */
  function code(table: CodeTable, value: string | undefined, fallback?: string): string {
    if (!value) return fallback ?? '–'
    const key = `code.${table}.${value}`
    if (locale.value === 'zh' && fallback) return fallback
    return te(key) || te(key, 'zh') ? t(key) : (fallback ?? value)
  }

  return { t, te, code, locale }
}
