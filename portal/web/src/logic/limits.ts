// Alarm limits as a plant edits them: what was written becomes numbers, and only what changed is said to have changed.
import type { Limits, Proposal } from '../api'

/** The limits of an analog value that a plant edits, from the lowest to the highest. */
export const EDITABLE = ['hh', 'h', 'l', 'll', 'rate'] as const
export type Editable = (typeof EDITABLE)[number]
export type Draft = Partial<Record<Editable, string>>

/** What stands in the fields at first. A limit that is not set and has no place here stays away. */
export function draftOf(limits: Limits): Draft {
  return Object.fromEntries(EDITABLE.filter((f) => limits[f] !== undefined).map((f) => [f, String(limits[f])]))
}

export interface Read {
  limits: Limits
  /** fields that hold no number */
  wrong: Editable[]
  changed: boolean
}

/** Reads the fields over the limits in force, which keep everything that is not edited. An emptied field removes its limit. */
export function readDraft(now: Limits, draft: Draft): Read {
  const limits: Limits = { ...now }
  const wrong: Editable[] = []
  let changed = false
  for (const field of EDITABLE) {
    const text = (draft[field] ?? '').trim().replace(',', '.')
    const value = text === '' ? undefined : Number(text)
    if (value !== undefined && !Number.isFinite(value)) {
      wrong.push(field)
      continue
    }
    if (value !== now[field]) changed = true
    if (value === undefined) Reflect.deleteProperty(limits, field)
    else limits[field] = value
  }
  return { limits, wrong, changed }
}

/** A draft with what history proposes filled in; fields that a plant does not edit are left to the regulator. */
export function withProposal(draft: Draft, proposal: Pick<Proposal, 'limits'>): Draft {
  const out = { ...draft }
  for (const p of proposal.limits ?? []) {
    const field = EDITABLE.find((f) => f === p.field)
    if (field) out[field] = String(p.proposed)
  }
  return out
}

/** Limits as the record of changes keeps them ("h=60 off_delay_ms=2000"), in words: a time in seconds, all else as it is written. */
export function limitWords(kept: string, nameOf: (field: string) => string): string[] {
  return kept.split(' ').flatMap((part) => {
    const [field, value] = part.split('=')
    if (!field || value === undefined) return part ? [part] : []
    return [`${nameOf(field)} ${field.endsWith('_ms') ? `${Number(value) / 1000} s` : value}`]
  })
}
