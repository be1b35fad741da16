// The regulators' portal.
import '../design/base.css'
import '../design/workbench.css'
import '../theme'
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import { createApp } from 'vue'
import { i18n, restoreLocale } from '../i18n'
import App from './App.vue'
import { router } from './router'

await restoreLocale()
const app = createApp(App).use(i18n).use(router)
await router.isReady().catch(() => undefined) // until then the page's own first words stay
app.mount('#app')
