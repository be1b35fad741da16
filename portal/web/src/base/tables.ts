// Code tables and the data dictionary: read once a page load, since forms ask for them again and again.
import { shallowReactive } from 'vue'
import { get } from '../client'
import { useText } from '../i18n'
import type { Code, CodeTable, Dictionary, DictionaryEntry } from './types'

const tables = shallowReactive(new Map<string, readonly Code[]>())
const asked = new Map<string, Promise<void>>()
let dictionary: Promise<Dictionary> | undefined

/** Reads a code table into what the pages share; once, unless it failed. */
export function loadTable(name: string): Promise<void> {
  let reading = asked.get(name)
  if (!reading) {
    reading = get<CodeTable>(`/tables/${encodeURIComponent(name)}`)
      .then((t) => void tables.set(name, t.codes))
      .catch(() => {
        asked.delete(name)
      })
    asked.set(name, reading)
  }
  return reading
}

/** Forgets a table that was changed. */
export function forgetTable(name: string): void {
  asked.delete(name)
  tables.delete(name)
}

export function loadDictionary(): Promise<Dictionary> {
  dictionary ??= get<DictionaryEntry[]>('/dictionary')
    .then((list) => new Map(list.map((e) => [e.type, e])))
    .catch((e: unknown) => {
      dictionary = undefined
      throw e
    })
  return dictionary
}

export function useTables() {
  const { locale } = useText()
  const codes = (table: string): readonly Code[] => {
    void loadTable(table)
    return tables.get(table) ?? []
  }
  const nameOf = (c: Code): string => (locale.value === 'en' && c.name_en ? c.name_en : c.name)
  /** The name of a code; the code itself while or where it has none. */
  const name = (table: string, code: string): string => {
    const found = codes(table).find((c) => c.code === code)
    return found ? nameOf(found) : code
  }
  return { codes, nameOf, name }
}
