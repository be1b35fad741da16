import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref, type EffectScope } from 'vue'
import type { Change } from './api'
import { ApiError } from './client'
import { oldest } from './old'
import { Reading } from './reading'
import { changesOf, forget, useResource, type Resource, type ResourceOptions } from './resource'

const heard = vi.hoisted(() => new Set<(change: Change) => void>())
vi.mock('./live', () => ({ ANYTHING: '*', onChange: (listener: (change: Change) => void) => heard.add(listener) }))

/** An API whose answers the test gives. */
class Api {
  readonly asked: {
    path: string
    signal: AbortSignal | undefined
    answer: (v: string) => void
    fail: (e: Error) => void
  }[] = []
  get = (path: string): Reading<string> =>
    new Reading(path, (signal) => new Promise((answer, fail) => void this.asked.push({ path, signal, answer, fail })))
  last() {
    const last = this.asked.at(-1)
    if (!last) throw new Error('nothing was asked')
    return last
  }
}

let api: Api
let pages: EffectScope[]
function page(path: () => string, options: ResourceOptions = {}): Resource<string> & { leave: () => void } {
  const scope = effectScope()
  pages.push(scope)
  const resource = scope.run(() => useResource(() => api.get(path()), options))
  if (!resource) throw new Error('no scope')
  return { ...resource, leave: () => scope.stop() }
}
const settled = () => vi.advanceTimersByTimeAsync(1)

beforeEach(() => {
  vi.useFakeTimers()
  api = new Api()
  pages = []
  heard.clear()
  forget()
})
afterEach(() => {
  for (const p of pages) p.stop()
  vi.useRealTimers()
})

describe('what was read for an earlier page', () => {
  it('is shown as old until it is read anew', async () => {
    const first = page(() => '/a', { keep: true })
    api.last().answer('one')
    await settled()
    expect([first.data.value, oldest.value]).toEqual(['one', undefined])
    first.leave()
    await vi.advanceTimersByTimeAsync(60_000)

    const second = page(() => '/a', { keep: true })
    expect(second.data.value).toBe('one')
    expect(oldest.value).toMatchObject({ failed: false })
    expect(second.loading.value).toBe(true)
    api.last().answer('two')
    await settled()
    expect([second.data.value, oldest.value]).toEqual(['two', undefined])
  })

  it('says so when it cannot be read anew', async () => {
    const p = page(() => '/a')
    api.last().answer('one')
    await settled()
    void p.reload()
    api.last().fail(new ApiError(403, {}))
    await settled()
    expect([p.data.value, p.error.value?.status, oldest.value?.failed]).toEqual(['one', 403, true])
  })

  it('is not shown where a person edits it, nor to another person', async () => {
    page(() => '/a', { keep: true })
    api.last().answer('one')
    await settled()
    expect(page(() => '/a').data.value).toBeUndefined()
    forget()
    expect(page(() => '/a', { keep: true }).data.value).toBeUndefined()
  })
})

describe('a reading that nobody waits for', () => {
  it('is broken off when something else is asked', async () => {
    const what = ref('/a')
    const p = page(() => what.value, { watch: () => what.value })
    const old = api.last()
    what.value = '/b'
    await nextTick()
    expect([old.signal?.aborted, api.last().path]).toEqual([true, '/b'])
    old.answer('late')
    api.last().answer('b')
    await settled()
    expect(p.data.value).toBe('b')
  })

  it('is broken off when its page is left', () => {
    const p = page(() => '/a')
    p.leave()
    expect(api.last().signal?.aborted).toBe(true)
  })

  it('is broken off when it is asked anew', () => {
    const p = page(() => '/a')
    const old = api.last()
    void p.reload()
    expect([old.signal?.aborted, api.last().signal?.aborted]).toEqual([true, false])
  })
})

describe('a reading that fails', () => {
  it.each([
    [503, 3],
    [0, 3],
    [403, 1],
    [500, 1],
  ])('with %i is asked %i times', async (status, times) => {
    const p = page(() => '/a')
    for (let n = 0; n < times; n++) {
      expect(api.asked.length).toBe(n + 1)
      api.last().fail(new ApiError(status, {}))
      await vi.advanceTimersByTimeAsync(5000)
    }
    expect([api.asked.length, p.error.value?.status, p.loading.value]).toEqual([times, status, false])
  })
})

describe('a change that the stream announces', () => {
  const change = (type: string): Change => ({ type, key: '', origin: '', seq: 0, time: 0 })
  it('reads anew, once for a burst, and only where it concerns', async () => {
    page(() => '/a', { on: changesOf(['Alarm']) })
    api.last().answer('one')
    await settled()
    for (const type of ['Alarm', 'Warning', 'Alarm']) for (const listener of heard) listener(change(type))
    await vi.advanceTimersByTimeAsync(300)
    expect(api.asked.length).toBe(2)
  })
})
