import { createRouter, createWebHistory } from 'vue-router'
import { guard } from '../session'
import Login from './Login.vue'

export const router = createRouter({
  history: createWebHistory('/'),
  routes: [
    { path: '/login', component: Login, meta: { bare: true } },
    { path: '/', component: () => import('./Live.vue'), meta: { nav: 'live' } },
    { path: '/alarms', component: () => import('./Alarms.vue'), meta: { nav: 'alarms' } },
    {
      path: '/alarms/:id',
      component: () => import('./Alarm.vue'),
      props: true,
      meta: { nav: 'alarms', back: '/alarms' },
    },
    { path: '/warnings', component: () => import('./Warnings.vue'), meta: { nav: 'warnings' } },
    {
      path: '/warnings/:id',
      component: () => import('./Warning.vue'),
      props: true,
      meta: { nav: 'warnings', back: '/warnings' },
    },
    { path: '/risk', component: () => import('./Risk.vue'), meta: { nav: 'risk', back: '/' } },
    { path: '/cleaning', component: () => import('../cleaning/Cleaning.vue'), meta: { nav: 'cleaning' } },
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
