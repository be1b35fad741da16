// A search in words: what a draw draws from.
import type { Ref } from 'vue'
import type { Facets } from '../api'
import { useText } from '../i18n'
import { bandOf, choiceOf, type Search } from '../logic/search'

const ALARMS: Record<string, string> = {
  'alarm=true': 'hasAlarm',
  'alarm=false': 'noAlarm',
  'alarm_level=1': 'hasAlarm',
  'alarm_level=2': 'alarmSevere',
  'alarm_overdue=true': 'alarmLate',
  'warning=true': 'hasWarning',
  'warning=false': 'noWarning',
  'warning_overdue=true': 'warningLate',
}

/** Words for a search; names of regions and codes are those that the counts came with. */
export function useSearchWords(facets: Readonly<Ref<Facets | undefined>>): (s: Search) => string {
  const { t, code, list } = useText()
  return (s) => {
    const f = facets.value
    const region = (f?.region ?? []).find((r) => r.value === s.region)?.name ?? s.region
    const band = bandOf(s)
    const [min, max] = band.split('-')
    const choices = (['alarm', 'warning'] as const).map((of) => ALARMS[choiceOf(s, of)]).filter(Boolean)
    return list(
      [
        region,
        s.industry && code('mem_industry', s.industry, (f?.industry ?? []).find((r) => r.value === s.industry)?.name),
        band && (max ? t('search.band', { a: min, b: max }) : t('search.bandUp', { a: min })),
        ...(s.level
          ? s.level
              .split(',')
              .map((l) => (l === 'none' ? t('search.none') : t('level.risk', { level: t(`level.${l}`) })))
          : []),
        s.dust_category &&
          code(
            'dust_category',
            s.dust_category,
            (f?.dust_category ?? []).find((r) => r.value === s.dust_category)?.name,
          ),
        s.online && t(s.online === 'true' ? 'search.isOnline' : 'search.isOffline'),
        ...choices.map((w) => t(`search.${w}`)),
        s.q,
      ].filter((w): w is string => Boolean(w)),
    )
  }
}
