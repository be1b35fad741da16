import { describe, expect, it } from 'vitest'
import type { Field } from '../base/types'
import {
  askOf,
  boundsOf,
  csv,
  isRequired,
  labelOf,
  longest,
  nextCode,
  record,
  rulesOf,
  same,
  threeWay,
} from './dictionary'

const field = (name: string, more: Partial<Field> = {}): Field => ({ name, zh: name, kind: 'string', ...more })

describe('fields of the data dictionary (F3.6)', () => {
  it.each([
    ['text', field('name')],
    ['whole', field('employees', { kind: 'int32' })],
    ['number', field('area_m2', { kind: 'double' })],
    ['bool', field('disabled', { kind: 'bool' })],
    ['choice', field('scale', { table: 'scale' })],
    ['choices', field('measures', { table: 'measure', list: true })],
    ['record', field('workshop', { ref: 'Workshop' })],
    ['group', field('limits', { kind: 'Limits', fields: [] })],
    ['list', field('dusts', { kind: 'Dust', list: true, fields: [] })],
    ['texts', field('photos', { list: true })],
  ])('are asked with %s', (ask, f) => expect(askOf(f)).toBe(ask))

  it('say what they bound', () => {
    expect(longest(field('name', { rule: 'required,max=200,utf8' }))).toBe(200)
    expect(boundsOf(field('lng', { kind: 'double', rule: 'omitempty,gte=73,lte=136' }))).toEqual({ min: 73, max: 136 })
    expect(isRequired(field('dusts', { rule: 'required,min=1,max=20,dive' }))).toBe(true)
    expect(rulesOf(field('dusts', { rule: 'min=1,dive,required' })).has('required')).toBe(false)
  })

  it('have names in both languages', () => {
    expect(labelOf('dust_workers', '涉粉作业人数', 'zh')).toBe('涉粉作业人数')
    expect(labelOf('dust_workers', '涉粉作业人数', 'en')).toBe('Dust workers')
    expect(labelOf('limits.hh', '高高限', 'en')).toBe('HH')
    expect(labelOf('area_m2', '面积', 'en')).toBe('Area')
    expect(labelOf('lng', '经度', 'en')).toBe('Longitude')
  })
})

describe('records', () => {
  const fields = [
    field('area_m2', { kind: 'double' }),
    field('limits', {
      kind: 'Limits',
      fields: [field('ll', { kind: 'double', optional: true }), field('deadband', { kind: 'double' })],
    }),
  ]

  it('leave out what is empty, and keep a zero that says something', () => {
    expect(record({ name: ' a ', area_m2: 0, gone: '', off: false, limits: { ll: 0, deadband: 0 } }, fields)).toEqual({
      name: 'a',
      limits: { ll: 0 },
    })
    expect(record({ limits: { deadband: 0 } }, fields)).toEqual({})
  })

  it('are the same whatever the order of their fields', () => {
    expect(same({ a: 1, b: ['x', 'y'] }, { b: ['x', 'y'], a: 1, area_m2: 0 }, fields)).toBe(true)
    expect(same({ b: ['x', 'y'] }, { b: ['y', 'x'] }, fields)).toBe(false)
  })

  it('take over what somebody else changed in the meantime, but for what I changed myself', () => {
    const base = { name: 'a', address: 'one', employees: 5 }
    expect(threeWay(base, { ...base, employees: 6 }, { name: 'b', address: 'one', employees: 7 }, [])).toEqual({
      name: 'b',
      address: 'one',
      employees: 6,
    })
    expect(threeWay(base, { ...base, address: '' }, { ...base, address: 'two' }, [])).toEqual({
      name: 'a',
      employees: 5,
    })
  })
})

describe('codes', () => {
  const plant = '320505030001'
  it.each([
    ['Workshop', [`${plant}W01`], {}, `${plant}W02`],
    ['Collector', [], {}, `${plant}C001`],
    ['Metric', [`${plant}C001T0101`], { collector: `${plant}C001`, kind: 'T01' }, `${plant}C001T0102`],
    ['Metric', [], { kind: 'T01' }, ''],
    ['CleaningPlan', [], {}, `${plant}-P01`],
    ['Camera', [], {}, ''],
  ])('of a new %s', (type, taken, values, code) => expect(nextCode(type, plant, taken, values)).toBe(code))
})

describe('tables for spreadsheet programs', () => {
  it('hold no formulas and keep their cells apart', () => {
    expect(
      csv([
        ['行', 'x'],
        [4, '=1+1'],
        [5, 'a,"b"'],
      ]),
    ).toBe('\ufeff行,x\r\n4,\'=1+1\r\n5,"a,""b"""\r\n')
  })
})
