// The plant of the person who is logged in: one reading shared by the pages and the marks in the navigation.
import { computed, inject, provide, type ComputedRef, type InjectionKey } from 'vue'
import type { PlantView } from '../api'
import { get } from '../client'
import { changesOf, useResource, type Resource } from '../resource'
import { useSession } from '../session'

export interface Mine extends Resource<PlantView> {
  code: string
  /** what waits for the plant */
  todo: ComputedRef<{ alarms: number; warnings: number; checks: number }>
}

const KEY: InjectionKey<Mine> = Symbol('plant')

/** Reads the plant and gives it to all pages below. */
export function providePlant(): Mine {
  const code = useSession().value?.user.enterprise ?? ''
  const resource = useResource<PlantView>(() => get(`/enterprises/${encodeURIComponent(code)}`), {
    on: (c) => c.type !== 'Partition' && changesOf([c.type], code)(c),
  })
  const todo = computed(() => {
    const p = resource.data.value
    return {
      alarms: (p?.alarms ?? []).filter((v) => v.alarm.stage !== 'fed_back').length,
      warnings: (p?.warnings ?? []).filter((v) => v.warning.stage === 'raised' || v.warning.stage === 'disposed')
        .length,
      checks: (p?.spot_checks ?? []).filter((v) => v.spot_check.stage === 'issued' && !v.answers?.length).length,
    }
  })
  const mine = { ...resource, code, todo }
  provide(KEY, mine)
  return mine
}

export function usePlant(): Mine {
  const mine = inject(KEY)
  if (!mine) throw new Error('no plant: the page stands outside the frame')
  return mine
}
