// Dark or light, as the person's system is set.
import { ref, type Ref } from 'vue'

const query = window.matchMedia('(prefers-color-scheme: dark)')

/** Whether pages are dark now. */
export const dark: Ref<boolean> = ref(query.matches)

let forced = false

function apply(): void {
  dark.value = forced || query.matches
  document.documentElement.classList.toggle('dark', dark.value)
}

/** Makes pages dark whatever the system says: for a wall screen. */
export function forceDark(on: boolean): void {
  forced = on
  apply()
}

query.addEventListener('change', apply)
apply()

/** Value of a design token, for charts, which do not read style sheets. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}
