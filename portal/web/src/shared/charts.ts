// The parts of ECharts that the pages use. Loaded when the first chart is shown.
import { BarChart, EffectScatterChart, LineChart, ScatterChart } from 'echarts/charts'
import { GeoComponent, GridComponent, MarkLineComponent, TooltipComponent } from 'echarts/components'
import { init, registerMap, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([
  LineChart,
  BarChart,
  ScatterChart,
  EffectScatterChart,
  GridComponent,
  TooltipComponent,
  MarkLineComponent,
  GeoComponent,
  SVGRenderer,
])

export { init, registerMap }
