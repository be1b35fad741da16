// Default limits in the fixture, where plants deviate from them, and what tightening would do.
import { effect } from './records.mjs'
import { DAY } from './times.mjs'

export const defaults = () => ({
  items: [
    {
      kind: 'T01',
      name: '灰斗内部温度',
      field: 'h',
      value: 60,
      unit: '°C',
      of: 'absolute',
      basis: '技术指导书 二(一)1',
      confidence: 'GK-med',
    },
    {
      kind: 'T01',
      name: '灰斗内部温度',
      field: 'hh',
      value: 70,
      unit: '°C',
      of: 'absolute',
      basis: 'AQ 4273 70 °C',
      confidence: 'GK-med',
    },
    {
      kind: 'T01',
      name: '灰斗内部温度',
      field: 'hh',
      value: 0.6667,
      of: 'ignition',
      basis: 'IEC 60079-14: 2/3 云引燃温度',
      confidence: 'GK-hi',
    },
    {
      kind: 'L01',
      name: '水箱水位',
      field: 'l',
      value: 0.9,
      of: 'design',
      for: 'wet',
      basis: 'GB 15577-2018 8.4.10',
      confidence: 'P',
    },
    {
      kind: 'V01',
      name: '风管风速',
      field: 'l',
      value: 23,
      unit: 'm/s',
      of: 'absolute',
      categories: ['1'],
      basis: 'GB 17269, AQ 4272',
      confidence: 'GK-med',
    },
    {
      kind: 'T01',
      name: '灰斗内部温度',
      field: 'stuck_ms',
      value: 21_600_000,
      unit: 'ms',
      of: 'absolute',
      basis: 'domain 3: flat_line',
      confidence: 'P',
    },
  ],
})

export function deviations(w, q) {
  if (q.get('direction') === 'stricter') return { looked: 412 }
  return {
    looked: 412,
    next: 'more',
    items: [
      {
        metric: `${w.own}C002P0101`,
        name: '进出口风压差',
        kind: 'P01',
        kind_name: '进出口风压差',
        unit: 'Pa',
        enterprise: w.own,
        enterprise_name: w.enterprises[0].enterprise.name,
        origin: w.site.id,
        local: true,
        deviations: [
          { field: 'h', laxer: true, actual: 1800, default: 1500, basis: 'GB 15577-2018 8.4.4', confidence: 'P' },
          { field: 'hh', laxer: true, actual: 2400, default: 2000, basis: 'GB 15577-2018 8.4.4', confidence: 'P' },
        ],
        actor: 'ji01',
        time: w.now - 12 * DAY,
        reason: '更换覆膜滤袋，阻力上升',
      },
      {
        metric: '320324030003C001T0101',
        name: '灰斗温度',
        kind: 'T01',
        kind_name: '灰斗内部温度',
        unit: '°C',
        enterprise: '320324030003',
        enterprise_name: '睢宁林盛木业有限公司',
        origin: 'jiangsu',
        local: w.site.id === 'jiangsu',
        deviations: [
          {
            field: 'stuck_ms',
            laxer: true,
            actual: 0,
            absent: true,
            default: 21_600_000,
            basis: 'domain 3: flat_line',
            confidence: 'P',
          },
        ],
      },
    ],
  }
}

export const tighten = (w, sent) => [
  200,
  {
    written: sent.preview ? 0 : sent.metrics.length,
    items: sent.metrics.map((metric) => ({
      metric,
      name: '进出口风压差',
      fields: [{ field: 'limits.h', zh: '报警限值 高限(一级)', before: '1800', after: '1500' }],
    })),
    ...(sent.preview
      ? {
          effects: [
            effect(w, {
              moves: [{ factor: 'D.S01.P01', name: '进出口风压差', before: 0, after: 4_750 }],
              alarms: [
                {
                  metric: sent.metrics[0],
                  rule: 'H',
                  name: '高限',
                  level: 1,
                  value: 1640,
                  limit: 1500,
                  unit: 'Pa',
                  raised: true,
                },
              ],
            }),
          ],
        }
      : {}),
  },
]
