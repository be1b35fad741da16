// Inputs of the risk model that a person changes to see what would become of a plant.
import type { Explanation, InputValue } from '../api'

type Input = NonNullable<Explanation['inputs']>[number]

/** The values a text can have: a code table's, or few words of its own. */
export const CHOICES: Record<
  string,
  { table?: 'raw' | 'grade' | 'scale' | 'mem_industry' | 'dust_category'; values: string[] }
> = {
  grade: { table: 'grade', values: ['高', '较高', '一般'] },
  measures: { table: 'raw', values: ['none', 'one', 'several', 'wet'] },
  building: { table: 'raw', values: ['single_frame', 'single_heavy', 'multi_frame', 'multi_nonframe'] },
  scale: { table: 'scale', values: ['large', 'medium', 'small', 'micro'] },
  industry: {
    table: 'mem_industry',
    values: ['metallurgy', 'nonferrous', 'materials', 'machinery', 'light', 'textile', 'tobacco', 'trade'],
  },
  category: { table: 'dust_category', values: ['1', '2', '3', '4', '5', '6', '7', '8'] },
}

const SCORE = /^([A-Z]\d\d|LINK)$/

/** Whether an input is the score of a kind of metric, 0 to 100. */
export const isScore = (name: string): boolean => SCORE.test(name)

/** What is changed against what is so; an input that says nothing, or the same, is no change. */
export function changesOfInputs(
  inputs: readonly Pick<Input, 'name' | 'value'>[],
  draft: Readonly<Record<string, InputValue | undefined>>,
): Record<string, InputValue> {
  const so = new Map(inputs.map((i) => [i.name, i.value]))
  const out: Record<string, InputValue> = {}
  for (const [name, value] of Object.entries(draft)) {
    if (value === undefined || value === '' || value === so.get(name)) continue
    out[name] = value
  }
  return out
}
