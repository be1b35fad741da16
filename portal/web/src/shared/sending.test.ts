import { describe, expect, it } from 'vitest'
import { ApiError } from '../client'
import { useSending } from './sending'
import { useTwice } from './twice'

describe('a form that is sent', () => {
  it('is busy until there is an answer, and begins no second one', async () => {
    const { busy, problem, attempt } = useSending()
    let answer = (): void => undefined
    const sent = attempt(() => new Promise<void>((resolve) => (answer = resolve)))
    expect(busy.value).toBe(true)
    expect(await attempt(() => Promise.reject(new Error('a second one')))).toBe(false)
    answer()
    expect(await sent).toBe(true)
    expect([busy.value, problem.value]).toEqual([false, ''])
  })

  it('says what is missing and sends nothing', async () => {
    const { busy, problem, attempt } = useSending()
    expect(await attempt(() => Promise.reject(new Error('sent')), 'a reason is missing')).toBe(false)
    expect([busy.value, problem.value]).toEqual([false, 'a reason is missing'])
    expect(await attempt(() => Promise.resolve())).toBe(true)
    expect(problem.value).toBe('')
  })

  it('says a refusal in the usual words, or in its own', async () => {
    const refused = () => Promise.reject(new ApiError(409, { detail: 'somebody else was quicker' }))
    const usual = useSending()
    expect(await usual.attempt(refused)).toBe(false)
    expect([usual.busy.value, usual.problem.value]).toEqual([false, 'somebody else was quicker'])
    const own = useSending((e) => `no: ${(e as ApiError).status}`)
    await own.attempt(refused)
    expect(own.problem.value).toBe('no: 409')
  })
})

describe('what is asked twice', () => {
  it('is done at the second touch of the same, and asked anew after that', () => {
    const { asked, sure } = useTwice()
    expect([sure('a'), asked.value]).toEqual([false, 'a'])
    expect([sure('b'), asked.value]).toEqual([false, 'b'])
    expect([sure('b'), asked.value]).toEqual([true, ''])
    expect(sure('b')).toBe(false)
  })
})
