import type { Factor } from '../api'
import { useText } from '../i18n'
import { signalOf } from '../logic/composition'

/** A factor's name in the page's language, with its dust system where it has one. */
export function useFactorName(): (f: Factor) => string {
  const { t, code } = useText()
  return (f) => {
    const signal = signalOf(f.code)
    if (signal) return `${t('risk.system', { n: signal.system })} ${code('metric', signal.kind, f.name)}`
    return code('factor', f.code, f.name)
  }
}
