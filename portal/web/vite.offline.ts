// Builds the plant portal's service worker beside the portal: one file, which knows by name every file of that portal, so that it
// starts without a network. The regulators' portal has none.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { build, type Plugin, type Rolldown } from 'vite'

const PAGE = 'enterprise.html'
const BESIDE = ['manifest.webmanifest', 'icons/192.png', 'icons/512.png']

interface Kept {
  url: string
  revision: string | null
}

/** Every file that the portal may load: its scripts, whatever they import at once or later, their sheets and pictures. */
function filesOf(bundle: Rolldown.OutputBundle): string[] {
  const seen = new Set<string>()
  const visit = (name: string): void => {
    const file = bundle[name]
    if (!file || seen.has(name)) return
    seen.add(name)
    if (file.type !== 'chunk') return
    for (const next of [...file.imports, ...file.dynamicImports]) visit(next)
    for (const next of [...(file.viteMetadata?.importedCss ?? []), ...(file.viteMetadata?.importedAssets ?? [])])
      visit(next)
  }
  for (const file of Object.values(bundle)) {
    if (file.type === 'chunk' && file.facadeModuleId?.endsWith(PAGE)) visit(file.fileName)
  }
  return [...seen].sort()
}

/** Names under assets/ hold a digest of what is in them; the others are told apart by one. */
async function keep(dir: string, name: string): Promise<Kept> {
  if (name.startsWith('assets/')) return { url: `/${name}`, revision: null }
  const digest = createHash('sha256').update(await readFile(path.join(dir, name)))
  return { url: `/${name}`, revision: digest.digest('hex').slice(0, 16) }
}

export function offline(): Plugin {
  return {
    name: 'dusthub-offline',
    apply: 'build',
    async writeBundle(options, bundle) {
      const dir = options.dir ?? 'dist'
      const files = await Promise.all([PAGE, ...BESIDE, ...filesOf(bundle)].map((name) => keep(dir, name)))
      await build({
        configFile: false,
        logLevel: 'warn',
        publicDir: false,
        define: { __SHELL__: JSON.stringify(files), 'process.env.NODE_ENV': '"production"' },
        build: {
          target: 'es2022',
          outDir: dir,
          emptyOutDir: false,
          lib: {
            entry: path.resolve('src/worker/worker.ts'),
            formats: ['iife'],
            name: 'worker',
            fileName: () => 'worker.js',
          },
        },
      })
    },
  }
}
