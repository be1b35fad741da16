// The site's rules for passwords (portal/passwords.go), said while one is typed; the site judges again.
export const MIN_LENGTH = 10
export const MIN_KINDS = 3

export interface Rule {
  key: 'length' | 'kinds' | 'login'
  kept: boolean
}

/** Each rule, and whether a password keeps it. */
export function rulesOf(password: string, login: string): Rule[] {
  const kinds = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[^\p{Lu}\p{Ll}\p{Nd}]/u].filter((k) => k.test(password)).length
  return [
    { key: 'length', kept: Array.from(password).length >= MIN_LENGTH },
    { key: 'kinds', kept: kinds >= MIN_KINDS },
    { key: 'login', kept: password !== '' && password !== login },
  ]
}

/** Whether a password keeps all rules that can be judged here. */
export const isStrong = (password: string, login: string): boolean => rulesOf(password, login).every((r) => r.kept)
