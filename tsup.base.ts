import { readFile } from 'node:fs/promises'
import { defineConfig, type Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** Workers are named by the URL of their source, which bundlers of pages look for; in a build they are scripts. */
const workerUrls: Plugin = {
  name: 'worker-urls',
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/][^\\/]*worker[^\\/]*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(
        /(new URL\('\.\/[^']+)\.ts'(?=, import\.meta\.url\))/g,
        "$1.js'",
      ),
      loader: 'ts',
    }))
  },
}

/** The build every package shares: ES modules for Node 20 and browsers, one file per public entry. */
export const base = (entry: string[], options: Options = {}) =>
  defineConfig({
    entry,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    // Nothing of node_modules goes into a bundle, optional dependencies included.
    skipNodeModulesBundle: true,
    external: [/^node:/, /^#/],
    splitting: true,
    sourcemap: true,
    clean: ['!**/*.d.ts'],
    dts: false,
    esbuildPlugins: [workerUrls],
    ...options,
  })
