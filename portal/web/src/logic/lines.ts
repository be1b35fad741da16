// Answers that come line by line, each line a JSON value of its own (NDJSON).

/** Takes text as it comes and gives the values of the lines that are complete; the rest waits for more. */
export function lineReader<T>(): (chunk: string, last?: boolean) => T[] {
  let rest = ''
  return (chunk, last = false) => {
    const lines = (rest + chunk).split('\n')
    rest = last ? '' : (lines.pop() ?? '')
    return lines.filter((l) => l.trim()).map((l) => JSON.parse(l) as T)
  }
}
