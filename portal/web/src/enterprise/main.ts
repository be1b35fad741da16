// The enterprises' portal, made for a phone.
import './vant.css'
import '../design/base.css'
import '../theme'
import { createApp } from 'vue'
import { i18n, restoreLocale } from '../i18n'
import { keepPerson } from '../offline/keeper'
import { registerWorker } from '../offline/version'
import App from './App.vue'
import { router } from './router'

keepPerson()
await restoreLocale()
createApp(App).use(i18n).use(router).mount('#app')

const begin = (): void => void registerWorker() // after the page, whose loading it would slow
if (document.readyState === 'complete') begin()
else window.addEventListener('load', begin)
