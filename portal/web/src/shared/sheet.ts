// A sheet over the page is all there is while it is open: the keyboard stays in it, Escape closes it, and the focus goes back to where it was.
import { nextTick, onScopeDispose, watch, type Ref } from 'vue'

/** Looks after a sheet of Vant's, which does none of this by itself. */
export function useSheet(open: Ref<boolean>): void {
  let from: Element | null = null

  const key = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') open.value = false
  }

  async function begin(): Promise<void> {
    from = document.activeElement
    document.addEventListener('keydown', key)
    document.getElementById('app')?.setAttribute('inert', '')
    await nextTick()
    const sheets = document.querySelectorAll<HTMLElement>('.van-popup.sheet')
    const shown = [...sheets].find((sheet) => sheet.style.display !== 'none')
    shown?.focus()
  }

  function end(): void {
    document.removeEventListener('keydown', key)
    document.getElementById('app')?.removeAttribute('inert')
    // readings of a mimic picture are elements of a drawing
    if ((from instanceof HTMLElement || from instanceof SVGElement) && from.isConnected) from.focus()
    from = null
  }

  watch(open, (is) => (is ? void begin() : end()))
  onScopeDispose(() => open.value && end())
}
