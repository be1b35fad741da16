// The enterprises' portal, made for a phone.
import './vant.css'
import '../design/base.css'
import '../theme'
import { createApp } from 'vue'
import { i18n, restoreLocale } from '../i18n'
import App from './App.vue'
import { router } from './router'

await restoreLocale()
createApp(App).use(i18n).use(router).mount('#app')
