// The server's time as pages show it, moving once a second.
import { ref, type Ref } from 'vue'
import { serverNow } from './client'
import { span } from './logic/format'
import { useText } from './i18n'

const TICK_MS = 1000
const now = ref(serverNow())
setInterval(() => (now.value = serverNow()), TICK_MS)

export const useNow = (): Ref<number> => now

/** Words for spans of time. */
export function useSpan() {
  const { t } = useText()
  const words = (ms: number): string => {
    const { unit, n } = span(ms)
    return t(`time.${unit}`, { n })
  }
  const ago = (ms: number | undefined): string => {
    if (!ms) return '–'
    const age = now.value - ms
    return age < 3000 ? t('time.now') : t('time.ago', { t: words(age) })
  }
  return { words, ago, now }
}
