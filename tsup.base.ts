import { defineConfig, type Options } from 'tsup'

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
    ...options,
  })
