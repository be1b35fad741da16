import { describe, expect, it } from 'vitest'
import type { Role } from '../api'
import { detour, hearsChanges, homeOf, mayOpen, ROLES } from './offices'

const as = (role: Role, due?: 'password' | 'second_factor') => ({
  user: { login: 'x', name: 'x', role },
  ...(due && { due }),
})

describe('mayOpen', () => {
  it.each([
    ['audit', ['audit_admin']],
    ['people', ['security_admin']],
    ['orgs', ['site_admin', 'security_admin']],
    ['alarms', ['ministry_regulator', 'province_regulator', 'site_admin', 'plant_manager', 'plant_worker']],
    ['account', [...ROLES]],
  ])('%s', (nav, roles) => expect(ROLES.filter((r) => mayOpen(r, nav))).toEqual(roles))
})

describe('detour', () => {
  it.each([
    [as('audit_admin'), '/', '/audit'],
    [as('security_admin'), '/', '/people'],
    [as('site_admin'), '/', undefined],
    [as('plant_worker'), '/alarms', undefined],
    [as('plant_manager', 'password'), '/alarms', '/account'],
    [as('audit_admin', 'second_factor'), '/', '/account'],
    [as('audit_admin', 'second_factor'), '/account', undefined],
  ])('%o to %s: %s', (s, path, wanted) => expect(detour(s, path)).toBe(wanted))
})

it('leads every role to a page it may open', () => {
  const nav: Record<string, string> = { '/': 'overview', '/people': 'people', '/audit': 'audit' }
  for (const role of ROLES) expect(mayOpen(role, nav[homeOf(role)])).toBe(true)
})

it('opens no stream for who may not hear it', () => {
  expect(hearsChanges(as('audit_admin'))).toBe(false)
  expect(hearsChanges(as('site_admin', 'second_factor'))).toBe(false)
  expect(hearsChanges(as('site_admin'))).toBe(true)
})
