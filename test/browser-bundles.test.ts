/** What a bundler makes of the entries for browsers: nothing that a page with a strict policy must not do. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { repositoryOnDisk } from './import-graph/repository.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const repository = repositoryOnDisk(root)

/** Source files of the entries that are for browsers. */
const entries = repository.packages.flatMap((name) => {
  const { exports = {} } = repository.manifest(name)
  return Object.entries(exports).flatMap(([path, target]) => {
    const source = (target as { '@awq/source'?: string })['@awq/source']
    const forBrowsers = name !== 'cli' && ['.', './browser', './worker'].includes(path)
    return forBrowsers && source ? [join('packages', name, source)] : []
  })
})

/** Text that is run as a program. */
const evaluation = /\beval\(|\bnew Function\b/

/** Third-party code that has some, and why a page never comes to it. */
const known: Readonly<Record<string, string>> = {
  'zod/v4': 'tries it where an object schema is made, unless `jitless`, as our manifest asks for',
  'onnxruntime-web/dist': 'calls of JavaScript methods from C++, which nothing makes (test/strict-page.test.ts)',
}

test('no entry has a program in text', async () => {
  expect(entries).toContain('packages/runtime/src/browser.ts')
  const { metafile } = await build({
    entryPoints: entries,
    absWorkingDir: root,
    bundle: true,
    write: false,
    outdir: 'out',
    format: 'esm',
    platform: 'browser',
    splitting: true,
    metafile: true,
    conditions: ['@awq/source'],
    loader: { '.wasm': 'file' },
    logLevel: 'silent',
  })
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs))
  const wrong = [...new Set(inputs)].filter((input) => {
    const path = join(root, input)
    const allowed = Object.keys(known).some((part) => input.includes(`node_modules/${part}`))
    return !allowed && evaluation.test(readFileSync(path, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''))
  })
  expect(wrong).toEqual([])
}, 60_000)
