import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { groups } from './vite.chunks.ts'
import { offline } from './vite.offline.ts'

const page = (name: string) => fileURLToPath(new URL(`${name}.html`, import.meta.url))

// Two pages, one for each listener of a site; what they share is split off by itself. public/.keep keeps dist in git.
export default defineConfig({
  plugins: [vue(), offline()],
  define: {
    __VUE_OPTIONS_API__: 'true', // vant and element-plus need it
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    target: 'es2022',
    manifest: true, // read by e2e/budget.mjs
    modulePreload: { polyfill: false }, // browsers that know it not load a little later
    assetsInlineLimit: 0, // the content security policy allows no inline script; keep files files
    rolldownOptions: {
      input: { regulator: page('regulator'), enterprise: page('enterprise') },
      output: { codeSplitting: { groups } },
    },
    chunkSizeWarningLimit: 700, // echarts, loaded when a chart is first shown
  },
  server: { proxy: { '/api': process.env.DUSTHUB_API ?? 'http://127.0.0.1:8701' } },
})
