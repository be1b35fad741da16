import { describe, expect, it } from 'vitest'
import { createApp, nextTick, watch } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useAddress } from './address'

/** A place of the portal, and what a page there reads of its address. */
async function at(place: string) {
  const page = { render: () => null }
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/alarms', component: page },
      { path: '/plants', component: page },
    ],
  })
  const app = createApp(page).use(router)
  await router.push(place)
  const use = (name: string, usual?: string) => app.runWithContext(() => useAddress(name, usual))
  return { router, use, here: () => router.currentRoute.value.fullPath }
}
const settled = async () => {
  await new Promise((resolve) => setTimeout(resolve))
  await nextTick()
}

describe('what a page is narrowed to', () => {
  it('is read off the address, or is the usual', async () => {
    const { use } = await at('/alarms?stage=closed&region=320000&region=370000')
    expect(use('stage', 'open').value).toBe('closed')
    expect(use('kind', 'any').value).toBe('any')
    expect(use('region').value).toBe('') // said twice: neither
  })

  it('is written there, beside what others wrote; the usual is not', async () => {
    const { use, here } = await at('/alarms?region=320000')
    const stage = use('stage', 'open')
    stage.value = 'closed'
    await settled()
    expect([here(), stage.value]).toEqual(['/alarms?region=320000&stage=closed', 'closed'])
    stage.value = 'open'
    await settled()
    expect([here(), stage.value]).toEqual(['/alarms?region=320000', 'open'])
  })

  it('follows the address, and stays as it was when the page is left', async () => {
    const { router, use } = await at('/alarms?stage=closed')
    const stage = use('stage', 'open')
    const seen: string[] = []
    watch(stage, (value) => void seen.push(value), { flush: 'sync' })
    await router.push('/alarms?stage=raised')
    await router.push('/plants')
    expect([stage.value, seen]).toEqual(['raised', ['raised']])
  })
})
