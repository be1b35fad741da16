import { createRouter, createWebHistory } from 'vue-router'
import { guard } from '../session'
import Cleaning from '../cleaning/Cleaning.vue'
import Alarm from './Alarm.vue'
import Alarms from './Alarms.vue'
import Live from './Live.vue'
import Login from './Login.vue'
import Risk from './Risk.vue'
import Warning from './Warning.vue'
import Warnings from './Warnings.vue'

// What is opened every day comes with the portal: a file that is asked for later costs a phone a round trip.
export const router = createRouter({
  history: createWebHistory('/'),
  routes: [
    { path: '/login', component: Login, meta: { bare: true } },
    { path: '/', component: Live, meta: { nav: 'live' } },
    { path: '/alarms', component: Alarms, meta: { nav: 'alarms' } },
    {
      path: '/alarms/:id',
      component: Alarm,
      props: true,
      meta: { nav: 'alarms', back: '/alarms' },
    },
    { path: '/warnings', component: Warnings, meta: { nav: 'warnings' } },
    {
      path: '/warnings/:id',
      component: Warning,
      props: true,
      meta: { nav: 'warnings', back: '/warnings' },
    },
    { path: '/risk', component: Risk, meta: { nav: 'risk', back: '/' } },
    { path: '/cleaning', component: Cleaning, meta: { nav: 'cleaning' } },
    { path: '/spot-checks', component: () => import('./SpotChecks.vue'), meta: { nav: 'spotChecks' } },
    { path: '/shelves', component: () => import('./Shelves.vue'), meta: { nav: 'shelves', back: '/alarms' } },
    { path: '/config', component: () => import('./Config.vue'), meta: { nav: 'config', back: '/' } },
    { path: '/limits', component: () => import('./Limits.vue'), meta: { nav: 'limits', back: '/' } },
    {
      path: '/limits/:metric',
      component: () => import('./Limit.vue'),
      props: true,
      meta: { nav: 'limits', back: '/limits' },
    },
    { path: '/rules', component: () => import('./Rules.vue'), meta: { nav: 'rules', back: '/' } },
    { path: '/hazards', component: () => import('./Hazards.vue'), meta: { nav: 'hazards', back: '/risk' } },
    { path: '/replay', component: () => import('./Replay.vue'), meta: { nav: 'replay', back: '/' } },
    { path: '/video', component: () => import('./Video.vue'), meta: { nav: 'video', back: '/' } },
    { path: '/notify', component: () => import('./Notify.vue'), meta: { nav: 'notify', back: '/' } },
    { path: '/account', component: () => import('../account/Account.vue'), meta: { nav: 'account', back: '/' } },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

guard(router)
