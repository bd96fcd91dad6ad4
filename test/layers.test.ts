import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { checkBrowserEntries } from './import-graph/browser-entries.ts'
import { checkLayers, layers } from './import-graph/layers.ts'
import { repositoryInMemory, repositoryOnDisk } from './import-graph/repository.ts'

const repository = repositoryOnDisk(fileURLToPath(new URL('..', import.meta.url)))

describe('this repository', () => {
  test('has every package in a layer, and a source for it', () => {
    expect([...repository.packages].sort()).toEqual(layers.flat().sort())
    for (const name of repository.packages) expect(repository.sources(name)).toContain(`packages/${name}/src/index.ts`)
  })

  test('no package imports upward or in a circle, and package.json agrees with the imports', () => {
    expect(checkLayers(repository)).toEqual([])
  })

  test('no browser entry reaches Node', () => {
    expect(checkBrowserEntries(repository)).toEqual([])
  })
})

/** A package of a small repository; `sources` by file name. */
const pack = (
  name: string,
  sources: Record<string, string>,
  dependencies: string[] = [],
  extra: Record<string, unknown> = {},
): Record<string, string> => ({
  [`packages/${name}/package.json`]: JSON.stringify({
    name: name === 'cli' ? 'awq' : `@awq/${name}`,
    dependencies: Object.fromEntries(dependencies.map((dependency) => [dependency, '1.0.0'])),
    exports: {
      '.': { '@awq/source': './src/index.ts', default: './dist/index.js' },
      './node': { '@awq/source': './src/node.ts', default: './dist/node.js' },
    },
    ...extra,
  }),
  ...Object.fromEntries(Object.entries(sources).map(([file, text]) => [`packages/${name}/src/${file}`, text])),
})

const tensor = pack('tensor', { 'index.ts': 'export const x = 1', 'node.ts': "import 'node:fs'" })

const layersOf = (...packs: Record<string, string>[]) => checkLayers(repositoryInMemory(Object.assign({}, ...packs)))
const browserOf = (...packs: Record<string, string>[]) =>
  checkBrowserEntries(repositoryInMemory(Object.assign({}, ...packs)))

describe('checkLayers', () => {
  test('downward imports that are declared pass', () => {
    const onnx = pack('onnx', { 'index.ts': "import '@awq/tensor'\nimport 'zod'" }, ['@awq/tensor', 'zod'])
    expect(layersOf(tensor, onnx)).toEqual([])
  })

  test.each([
    ['import', "import { x } from '@awq/onnx'"],
    ['type import', "import type { X } from '@awq/onnx'"],
    ['re-export', "export { x } from '@awq/onnx'"],
    ['dynamic import', "const load = () => import('@awq/onnx')"],
    ['import of an entry below', "import '@awq/onnx/node'"],
    ['import type node', "export type X = import('@awq/onnx').X"],
  ])('an upward %s fails', (_, text) => {
    const low = pack('tensor', { 'index.ts': text }, ['@awq/onnx'])
    const high = pack('onnx', { 'index.ts': '' })
    expect(layersOf(low, high)).toEqual([
      expect.stringMatching(/^packages\/tensor\/src\/index\.ts imports @awq\/onnx.*: not below tensor$/),
      'packages/tensor/package.json depends on @awq/onnx: not below tensor',
    ])
  })

  test('an upward import in a test fails', () => {
    const low = pack('tensor', { 'index.ts': '', 'a.test.ts': "import '@awq/onnx'" })
    expect(layersOf(low, pack('onnx', { 'index.ts': '' }))).toEqual([
      'packages/tensor/src/a.test.ts imports @awq/onnx: not below tensor',
    ])
  })

  test('a circle between packages of one layer fails on both sides', () => {
    const one = pack('quantize', { 'index.ts': "import '@awq/calibration'" }, ['@awq/calibration'])
    const two = pack('calibration', { 'index.ts': "import '@awq/quantize'" }, ['@awq/quantize'])
    expect(layersOf(one, two)).toHaveLength(4)
  })

  test('an undeclared, an unused and an escaping import fail', () => {
    const onnx = pack('onnx', { 'index.ts': "import '@awq/tensor'\nimport '../../tensor/src/x.ts'" }, ['zod'])
    expect(layersOf(tensor, onnx)).toEqual([
      'packages/onnx/src/index.ts imports @awq/tensor: not in its package.json',
      'packages/onnx/src/index.ts imports ../../tensor/src/x.ts: outside of its package',
      'packages/onnx/package.json depends on zod: nothing imports it',
    ])
  })

  test('a package outside the layers fails', () => {
    expect(layersOf(pack('extra', { 'index.ts': '' }))).toEqual(['packages/extra is in no layer'])
  })
})

describe('checkBrowserEntries', () => {
  const platform = (node: string, other: string) => ({
    imports: { '#platform': { '@awq/source': { node: './src/n.ts', default: './src/b.ts' }, node, default: other } },
  })

  test('a platform import that avoids Node, type imports, and the command pass', () => {
    const sources = {
      'index.ts': "import '#platform'\nimport type { Stats } from 'node:fs'",
      'n.ts': "import 'node:fs'",
      'b.ts': "import '@awq/tensor'",
    }
    const ort = pack('ort', sources, [], platform('./dist/n.js', './dist/b.js'))
    expect(browserOf(tensor, ort, pack('cli', { 'index.ts': "import 'node:fs'" }))).toEqual([])
  })

  test.each([
    ['a builtin', "import 'node:fs'"],
    ['a builtin without its prefix', "import fs from 'fs'"],
    ['a dynamic import', "const load = () => import('node:fs/promises')"],
    ['a Node entry', "import '@awq/tensor/node'"],
    ['a package of Node', "const load = () => import('onnxruntime-node')"],
    ['require', "const fs = require('node:fs')"],
  ])('%s fails', (_, text) => {
    expect(browserOf(tensor, pack('onnx', { 'index.ts': text }))).toEqual([
      expect.stringContaining('only exists in Node'),
    ])
  })

  test('the line shows the chain', () => {
    const onnx = pack(
      'onnx',
      { 'index.ts': "import '#platform'", 'n.ts': '', 'b.ts': "export * from './c.ts'", 'c.ts': "import 'os'" },
      [],
      platform('./dist/n.js', './dist/b.js'),
    )
    const high = pack('ort', { 'index.ts': "import '@awq/onnx'" })
    expect(browserOf(onnx, high)).toEqual([
      'packages/onnx/src/index.ts -> packages/onnx/src/b.ts -> packages/onnx/src/c.ts -> os: only exists in Node',
    ])
  })

  test('an entry for browsers by name is walked too', () => {
    const exports = {
      '.': { '@awq/source': './src/index.ts' },
      './browser': { '@awq/source': './src/browser.ts' },
    }
    const onnx = pack('onnx', { 'index.ts': '', 'browser.ts': "import 'node:fs'" }, [], { exports })
    expect(browserOf(onnx)).toEqual(['packages/onnx/src/browser.ts -> node:fs: only exists in Node'])
  })

  test('an import that leads nowhere fails', () => {
    expect(browserOf(pack('onnx', { 'index.ts': "import './gone.ts'\nimport '#gone'" }))).toEqual([
      'packages/onnx/src/index.ts -> packages/onnx/src/gone.ts: no such file',
      'packages/onnx/src/index.ts -> #gone: resolves to nothing',
    ])
  })
})
