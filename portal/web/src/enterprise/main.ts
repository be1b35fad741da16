// The enterprises' portal, made for a phone.
import './vant.css'
import '../design/base.css'
import '../design/workbench.css'
import '../theme'
import { createApp } from 'vue'
import { i18n, restoreLocale } from '../i18n'
import { keepPerson } from '../offline/keeper'
import { registerWorker } from '../offline/version'
import App from './App.vue'
import { router } from './router'

keepPerson()
await restoreLocale()
const app = createApp(App).use(i18n).use(router)
await router.isReady().catch(() => undefined) // until then the page's own first words stay
app.mount('#app')

const begin = (): void => void registerWorker() // after the page, whose loading it would slow
if (document.readyState === 'complete') begin()
else window.addEventListener('load', begin)
