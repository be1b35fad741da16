import { expect, it } from 'vitest'
import type { User } from '../api'
import { changesOfPerson } from './person'

const known: User = { login: 'a', name: '甲', role: 'province_regulator', region: '320500', org: 'js-sz' }
const draft = { login: 'a', name: '甲', role: known.role, region: '320500', enterprise: '', org: 'js-sz' }

it.each([
  ['nothing', draft, known, {}],
  ['a name', { ...draft, name: ' 乙 ' }, known, { name: '乙' }],
  ['a region taken away', { ...draft, region: '' }, known, { region: '' }],
  [
    'a plant person, who has no region',
    { ...draft, role: 'plant_worker' as const, enterprise: '320505030001' },
    known,
    { role: 'plant_worker', region: '', org: '', enterprise: '320505030001' },
  ],
  [
    'a new person, with what is said alone',
    { ...draft, org: '', role: 'audit_admin' as const },
    undefined,
    { login: 'a', name: '甲', role: 'audit_admin' },
  ],
])('%s', (_, d, k, wanted) => expect(changesOfPerson(d, k)).toEqual(wanted))
