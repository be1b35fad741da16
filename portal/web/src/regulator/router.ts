import { createRouter, createWebHistory } from 'vue-router'
import { guard } from '../session'
import Login from './Login.vue'

export const router = createRouter({
  history: createWebHistory('/'),
  routes: [
    { path: '/login', component: Login, meta: { bare: true } },
    { path: '/', component: () => import('../overview/Overview.vue'), meta: { nav: 'overview' } },
    {
      path: '/screen',
      component: () => import('../screen/Screen.vue'),
      meta: { nav: 'overview', bare: true },
    },
    { path: '/alarms', component: () => import('../alarms/AlarmList.vue'), meta: { nav: 'alarms' } },
    { path: '/alarms/:id', component: () => import('../alarms/AlarmPage.vue'), props: true, meta: { nav: 'alarms' } },
    { path: '/enterprises', component: () => import('../plant/PlantList.vue'), meta: { nav: 'enterprises' } },
    {
      path: '/enterprises/:code/screen',
      component: () => import('../plant/PlantScreen.vue'),
      props: true,
      meta: { nav: 'enterprises', bare: true },
    },
    {
      path: '/enterprises/:code',
      component: () => import('../plant/PlantPage.vue'),
      props: true,
      meta: { nav: 'enterprises' },
    },
    { path: '/warnings', component: () => import('../warnings/WarningList.vue'), meta: { nav: 'warnings' } },
    {
      path: '/warnings/:id',
      component: () => import('../warnings/WarningPage.vue'),
      props: true,
      meta: { nav: 'warnings' },
    },
    { path: '/base', component: () => import('../base/Base.vue'), meta: { nav: 'base' } },
    { path: '/base/import', component: () => import('../base/Import.vue'), meta: { nav: 'base' } },
    { path: '/base/:code', component: () => import('../base/PlantFile.vue'), props: true, meta: { nav: 'base' } },
    {
      path: '/base/:code/config',
      component: () => import('../base/ConfigPage.vue'),
      props: true,
      meta: { nav: 'base' },
    },
    { path: '/tables', component: () => import('../base/Tables.vue'), meta: { nav: 'base' } },
    { path: '/limits', component: () => import('../base/LimitAdmin.vue'), meta: { nav: 'base' } },
    { path: '/spot-checks', component: () => import('../spotchecks/SpotChecks.vue'), meta: { nav: 'spotChecks' } },
    { path: '/analysis', component: () => import('../analysis/Analysis.vue'), meta: { nav: 'analysis' } },
    {
      path: '/analysis/findings/:rule',
      component: () => import('../analysis/Findings.vue'),
      props: true,
      meta: { nav: 'analysis' },
    },
    {
      path: '/analysis/issues/:rule',
      component: () => import('../analysis/Issues.vue'),
      props: true,
      meta: { nav: 'analysis' },
    },
    { path: '/reports', component: () => import('../reports/Reports.vue'), meta: { nav: 'analysis' } },
    { path: '/shelves', component: () => import('../shelves/Shelves.vue'), meta: { nav: 'alarms' } },
    { path: '/hazards', component: () => import('../hazards/Hazards.vue'), meta: { nav: 'warnings' } },
    { path: '/rules', component: () => import('../rules/Rules.vue'), meta: { nav: 'alarms' } },
    { path: '/statistics', component: () => import('../statistics/Statistics.vue'), meta: { nav: 'alarms' } },
    { path: '/models', component: () => import('../models/Models.vue'), meta: { nav: 'warnings' } },
    { path: '/models/lab', component: () => import('../models/Lab.vue'), meta: { nav: 'warnings' } },
    { path: '/models/edit', component: () => import('../models/ModelEditor.vue'), meta: { nav: 'warnings' } },
    {
      path: '/models/:version',
      component: () => import('../models/ModelPage.vue'),
      props: true,
      meta: { nav: 'warnings' },
    },
    { path: '/replay', component: () => import('../replay/Replay.vue'), meta: { nav: 'enterprises' } },
    { path: '/notify', component: () => import('../notify/Notify.vue'), meta: { nav: 'federation' } },
    { path: '/federation', component: () => import('../federation/Federation.vue'), meta: { nav: 'federation' } },
    { path: '/account', component: () => import('../account/Account.vue'), meta: { nav: 'account' } },
    { path: '/people', component: () => import('../people/People.vue'), meta: { nav: 'people' } },
    { path: '/orgs', component: () => import('../people/Orgs.vue'), meta: { nav: 'orgs' } },
    { path: '/audit', component: () => import('../audit/Audit.vue'), meta: { nav: 'audit' } },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

guard(router)
