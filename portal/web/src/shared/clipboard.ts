/** Copies a text, and says whether the browser allowed it: the text is on the page in any case. */
export async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
