// Why a value is refused, in the reader's language: the schema says it in English, by rule.
import { useText } from '../i18n'

export interface Refused {
  rule?: string
  got?: string
  wanted?: string
}

export function useWhy() {
  const { t, has } = useText()
  const why = (r: Refused): string => {
    const key = `base.rule.${r.rule ?? ''}`
    return r.rule && has(key) ? t(key, { got: r.got ?? '', wanted: r.wanted ?? '' }) : (r.wanted ?? '')
  }
  /** The same of a cell, whose reason begins with its rule. */
  const whyCell = (c: { got?: string; wanted: string }): string => {
    const said = /^([a-z_0-9]+): ?(.*)$/s.exec(c.wanted)
    return said ? why({ rule: said[1] ?? '', wanted: said[2] ?? '', got: c.got ?? '' }) : c.wanted
  }
  return { why, whyCell }
}
