import { expect, it } from 'vitest'
import { treeOf } from './orgs'

const org = (code: string, parent?: string) => ({ code, name: code, ...(parent && { parent }) })

it.each([
  ['a tree', [org('c', 'b'), org('b', 'a'), org('a'), org('d', 'a')], ['a0', 'b1', 'c2', 'd1']],
  ['a whole out of sight', [org('b', 'x')], ['b0']],
  ['a ring', [org('a', 'b'), org('b', 'a')], ['a0', 'b1']],
  ['nothing', [], []],
])('%s', (_, orgs, wanted) => expect(treeOf(orgs).map((r) => r.org.code + String(r.depth))).toEqual(wanted))
