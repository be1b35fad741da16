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

// The worker brings the whole portal: after what the first page asks for, which it would slow.
const LATER_MS = 3000
const begin = (): void => void setTimeout(() => void registerWorker(), LATER_MS)
if (document.readyState === 'complete') begin()
else window.addEventListener('load', begin)
