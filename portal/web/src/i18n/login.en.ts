// English texts of the ways in.
import type { signinZh } from './login.zh'

export const signinEn: typeof signinZh = {
  captcha: {
    label: 'Captcha',
    hint: 'The 6 digits of the picture',
    picture: 'Captcha, a picture of 6 digits; ask for another, or listen to it',
    again: 'Another',
    listen: 'Listen',
    playing: 'Playing: type the 6 digits you hear',
    noSound: 'The sound cannot be played; try another captcha',
    failed: 'The captcha could not be read',
    busy: 'Too many captchas; try again in 10 minutes',
    ask: 'Several logins failed. Type the digits of the captcha, too',
    wrong: 'The digits are wrong or too old. Type those of the new captcha',
    required: 'Type the digits of the captcha',
  },
  sso: {
    or: 'or',
    button: 'Log in with {name}',
    again: 'Log in again',
    back: 'Back to login',
    copy: 'Copy',
    copied: 'Copied',
    identity: 'Identifier',
    codeTitle: 'One-time code',
    codeHint: '{name} knows you. This account has a second factor here: its code completes the login.',
    expired: {
      title: 'The login took too long',
      hint: 'It took more than 10 minutes, or began in another browser. Log in again.',
    },
    cancelled: { title: 'Login cancelled', hint: 'You cancelled the login at {name}. Nothing was changed.' },
    down: {
      title: '{name} does not answer',
      hint: 'This site is fine. Try again later, or log in with your password; if it lasts, tell the system administrator.',
    },
    refused: {
      title: 'The identity could not be verified',
      hint: 'What {name} answered does not hold. Log in again; if it happens again, tell the system administrator.',
    },
    unlinked: {
      title: 'This identity is linked to nobody here',
      hint: 'Send the identifier below to the security administrator, who links it. Whoever has a login and password logs in below.',
    },
    disabled: { title: 'Locked', hint: 'Your account is locked. Ask the security administrator.' },
    portal: {
      title: 'Use the other portal',
      hint: 'Your account is of the other portal: one is for regulators, one for plants.',
    },
    busy: {
      title: 'Too many failed logins',
      hint: 'Too many logins from this network failed. Try again in 10 minutes.',
    },
  },
  link: {
    open: 'Link',
    title: 'Link to the provider',
    linked: 'Linked to the provider',
    hint: 'The identifier (sub) of this person at the provider. The login page shows it to who comes for the first time.',
    subject: 'Identifier',
    save: 'Link',
    remove: 'Unlink',
    done: '{login} is linked; their sessions have ended',
    removed: '{login} is not linked any more; their sessions have ended',
    taken: 'This identifier is linked to somebody else: unlink it there first',
    wrong: '1 to 255 visible ASCII characters, no spaces',
  },
  stale: 'To be sure that it is you: log in again, and set it up within 10 minutes',
  noPassword: 'You logged in with the provider, which keeps your password.',
}
