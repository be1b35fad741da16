// Which pages a role may open: what the site's table of accesses (portal/access.go) lets it read.
import type { Role, Session } from '../api'

const OVERSEERS: readonly Role[] = ['ministry_regulator', 'province_regulator', 'site_admin']
const PLANT: readonly Role[] = ['plant_manager', 'plant_worker']
const WORK: readonly Role[] = [...OVERSEERS, ...PLANT]
const PAGES: Record<string, readonly Role[]> = {
  analysis: OVERSEERS,
  people: ['security_admin'],
  orgs: ['security_admin', 'site_admin'],
  audit: ['audit_admin'],
  base: OVERSEERS,
}

/** Whether a role may open the pages under an entry of the menu; one's own account is open to all. */
export function mayOpen(role: Role, nav: unknown): boolean {
  if (typeof nav !== 'string' || nav === 'account') return true
  return (PAGES[nav] ?? WORK).includes(role)
}

/** Where a role begins: the first page it may read. */
export function homeOf(role: Role): string {
  if (role === 'security_admin') return '/people'
  return role === 'audit_admin' ? '/audit' : '/'
}

/** Whether changes are told to a person as they happen: not to those who see no plant's data, nor before what is due is done. */
export function hearsChanges(s: Pick<Session, 'user' | 'due'>): boolean {
  return !s.due && WORK.includes(s.user.role)
}

/** Where a person who goes somewhere is led instead; undefined: nowhere else. */
export function detour(s: Pick<Session, 'user' | 'due'>, path: string): string | undefined {
  if (s.due) return path === '/account' ? undefined : '/account'
  const home = homeOf(s.user.role)
  return path === '/' && home !== '/' ? home : undefined
}

/** Roles that belong to a plant. */
export const isPlantRole = (role: string): boolean => (PLANT as readonly string[]).includes(role)

/** Every role, in the order in which they are offered. */
export const ROLES: readonly Role[] = [...OVERSEERS, 'security_admin', 'audit_admin', ...PLANT]
