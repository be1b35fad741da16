// The regulators' portal.
import '../design/base.css'
import '../theme'
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import { createApp } from 'vue'
import { i18n, restoreLocale } from '../i18n'
import App from './App.vue'
import { router } from './router'

await restoreLocale()
createApp(App).use(i18n).use(router).mount('#app')
