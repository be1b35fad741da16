// What the form of a person asks of the site.
import type { Role, User } from '../api'
import { isPlantRole } from './offices'

export interface PersonDraft {
  login: string
  name: string
  role: Role
  region: string
  enterprise: string
  org: string
}

const PLACES = ['region', 'enterprise', 'org'] as const

/** All of a new person; of a known one what differs. A place that does not go with the role is taken away. */
export function changesOfPerson(draft: PersonDraft, known?: User): Partial<PersonDraft> {
  const regulates = draft.role.endsWith('_regulator')
  const wanted: PersonDraft = {
    login: draft.login.trim(),
    name: draft.name.trim(),
    role: draft.role,
    region: regulates ? draft.region.trim() : '',
    enterprise: isPlantRole(draft.role) ? draft.enterprise.trim() : '',
    org: regulates ? draft.org : '',
  }
  const out: Partial<PersonDraft> = known ? {} : { login: wanted.login }
  if (wanted.name !== known?.name) out.name = wanted.name
  if (wanted.role !== known?.role) out.role = wanted.role
  for (const f of PLACES) if (wanted[f] !== (known?.[f] ?? '')) out[f] = wanted[f]
  return out
}
