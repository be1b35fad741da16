/** The first of what is open, then of what was lately and is over, at most so many. */
export function filled<T>(
  open: readonly T[] | undefined,
  lately: readonly T[] | undefined,
  id: (item: T) => string,
  most: number,
): T[] {
  const known = new Set(open?.map(id))
  return [...(open ?? []), ...(lately ?? []).filter((item) => !known.has(id(item)))].slice(0, most)
}
