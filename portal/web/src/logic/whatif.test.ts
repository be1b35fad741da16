import { describe, expect, it } from 'vitest'
import { changesOfInputs, isScore } from './whatif'

describe('changed inputs', () => {
  const inputs = [
    { name: 'workers', value: 35 },
    { name: 'measures', value: 'none' },
    { name: 'stopped', value: false },
  ]
  it('are those that differ from what is so', () => {
    expect(changesOfInputs(inputs, { workers: 35, measures: 'several', stopped: true })).toEqual({
      measures: 'several',
      stopped: true,
    })
  })
  it('may be a number of zero, or a floor that is removed, but not an empty field', () => {
    expect(changesOfInputs(inputs, { T01: 0, workers: '', 'floor.F3': false })).toEqual({ T01: 0, 'floor.F3': false })
  })
})

it('knows scores of metrics', () => {
  expect(['T01', 'LINK', 'M1', 'workers'].map(isScore)).toEqual([true, true, false, false])
})
