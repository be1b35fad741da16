import { describe, expect, it } from 'vitest'
import { lineReader } from './lines'

describe('an answer line by line', () => {
  it('gives a line when it is whole, wherever the pieces were cut', () => {
    const read = lineReader<{ n: number }>()
    expect(read('{"n":1}\n{"n"')).toEqual([{ n: 1 }])
    expect(read(':2}')).toEqual([])
    expect(read('\n\n{"n":3}\n')).toEqual([{ n: 2 }, { n: 3 }])
    expect(read('{"n":4}', true)).toEqual([{ n: 4 }])
  })
  it('does not hide a line that is no JSON, such as one cut off by a broken connection', () => {
    expect(() => lineReader()('{"n":', true)).toThrow(SyntaxError)
  })
})
