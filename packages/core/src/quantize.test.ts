import { createHash } from 'node:crypto'
import { appendFile, chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { evaluate } from '@awq/evaluate'
import { createEngine, type Engine } from '@awq/ort'
import { openStore, readMatrix } from '@awq/quantize'
import { dequantize, openCheckpoint, openSafetensors } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scaledLogits } from './fixtures/scaled-logits.ts'
import type { FoldedGroup, Method, Pass } from './index.ts'
import { awq, gptq, type ProgressEvent, quantize, rtn, scalePass, weightOf } from './index.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const stories = fileURLToPath(new URL('../../../examples/demo/stories-calibration.txt', import.meta.url))
const evaluation = fileURLToPath(new URL('../../../examples/demo/stories-evaluation.txt', import.meta.url))
const fixture = (name: string) => fileURLToPath(new URL(`../../models/src/fixtures/${name}`, import.meta.url))

let engine: Engine
let scratch: string
let count = 0
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-core-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})
const newOutput = () => join(scratch, `out ${count++} ü`)
const small = () => ({ engine, calibration: stories, samples: 8, length: 64, groupSize: 32 })

const digest = async (folder: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(folder)).sort().map(async (file) => {
        const bytes = await readFile(join(folder, file))
        return [file, createHash('sha256').update(bytes).digest('hex')] as const
      }),
    ),
  )

describe('quantize', () => {
  test('writes a folder that evaluates better by AWQ than by RTN at 3 bits', async () => {
    const text = (await readFile(evaluation, 'utf8')).slice(0, 20000)
    const perplexities: Record<string, number> = {}
    for (const method of ['rtn', 'awq']) {
      const output = newOutput()
      const result = await quantize({ ...small(), samples: 32, length: 128, model, output, method, bits: 3 })
      expect(result).toMatchObject({ method, layers: 5, resumedLayers: 0 })
      expect(result.outputBytes).toBeLessThan(result.inputBytes / 3)
      const folder = await openFolder(output)
      perplexities[method] = (await evaluate({ model: folder, engine, text, window: 256 })).perplexity
    }
    expect(perplexities.awq).toBeLessThan(perplexities.rtn!)
  })

  test('every scale is at least as good as none on its own loss', async () => {
    const groups: FoldedGroup[] = []
    const onProgress = (event: ProgressEvent) => {
      if (event.type === 'layer') groups.push(...event.groups)
    }
    await quantize({ ...small(), model, output: newOutput(), bits: 3, onProgress })
    expect(groups).toHaveLength(20)
    for (const { loss, identityLoss } of groups) expect(loss!).toBeLessThanOrEqual(identityLoss!)
    expect(groups.filter(({ loss, identityLoss }) => loss! < identityLoss!).length).toBeGreaterThan(10)
  })

  test('RTN stores exactly what rounding the checkpoint gives', async () => {
    const output = newOutput()
    await quantize({ engine, model, output, method: 'rtn', bits: 8, groupSize: 64 })
    const store = await openStore(await openFolder(output))
    const name = 'model.layers.2.mlp.down_proj.weight'
    const restored = dequantize(await readMatrix(store, name))
    await store.close()
    await using checkpoint = await openCheckpoint(await openFolder(model))
    const bytes = await checkpoint.tensors.get(name)!.read()
    const weight = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
    const worst = weight.reduce((most, w, i) => Math.max(most, Math.abs(w - restored[i]!)), 0)
    const span = Math.max(...weight) - Math.min(...weight)
    expect(worst).toBeLessThan(span / 255)
    expect(worst).toBeGreaterThan(0)
  })
})

describe('after folding, before rounding, the float logits are those before', () => {
  test.each([
    'plain',
    'tied-bias',
    'head-dim-12',
    'head-dim-20-gelu',
    'rope-llama3',
    'mistral-window',
    'bfloat16-sharded',
  ])('%s', async (name) => {
    const folder = await openFolder(fixture(name))
    const { before, after, kept } = await scaledLogits(engine, folder, newOutput(), [scalePass()])
    const largest = Math.max(1, ...before.map(Math.abs))
    const worst = after.reduce((most, value, i) => Math.max(most, Math.abs(value - before[i]!)), 0)
    expect(worst).toBeLessThan(1e-4 * largest)
    expect([...kept.values()].length).toBeGreaterThan(0)
  })
})

describe('an interrupted run', () => {
  const abortAfter = (layer: number) => {
    const controller = new AbortController()
    const onProgress = (event: ProgressEvent) => {
      if (event.type === 'layer' && event.layer === layer) controller.abort(new Error('stop here'))
    }
    return { signal: controller.signal, onProgress }
  }

  test.each(['awq', 'gptq', 'rtn'])('of %s goes on with resume and gives the same bytes', async (method) => {
    const whole = newOutput()
    await quantize({ ...small(), model, output: whole, method })
    for (const layer of [0, 3]) {
      const output = newOutput()
      await expect(quantize({ ...small(), model, output, method, ...abortAfter(layer) })).rejects.toThrow('stop here')
      expect(await readdir(output)).toEqual(['.awq-partial'])
      await expect(openFolder(output).then((folder) => folder.has('quantization.json'))).resolves.toBe(false)
      const result = await quantize({ ...small(), model, output, method, resume: true })
      expect(result.resumedLayers).toBe(layer + 1)
      expect(await digest(output)).toEqual(await digest(whole))
    }
  })

  test('is refused with other options, naming them, and started over without resume', async () => {
    const output = newOutput()
    await expect(quantize({ ...small(), model, output, ...abortAfter(1) })).rejects.toThrow('stop here')
    await expect(quantize({ ...small(), model, output, bits: 3, resume: true })).rejects.toThrow(/another bits/)
    await expect(quantize({ ...small(), model, output, samples: 4, resume: true })).rejects.toThrow(
      /another calibration/,
    )
    expect((await quantize({ ...small(), model, output, bits: 3 })).resumedLayers).toBe(0)
  })

  test('with a torn last line in its journal repeats that block', async () => {
    const whole = newOutput()
    await quantize({ ...small(), model, output: whole })
    const output = newOutput()
    await expect(quantize({ ...small(), model, output, ...abortAfter(2) })).rejects.toThrow('stop here')
    const journal = join(output, '.awq-partial', 'journal.ndjson')
    const text = await readFile(journal, 'utf8')
    await writeFile(journal, text.slice(0, -20))
    // The activations of block 3 are there, those of block 2 too: the last two are kept.
    expect((await quantize({ ...small(), model, output, resume: true })).resumedLayers).toBe(2)
    expect(await digest(output)).toEqual(await digest(whole))
  })

  test('may be interrupted again behind a torn line', async () => {
    const whole = newOutput()
    await quantize({ ...small(), model, output: whole })
    const output = newOutput()
    await expect(quantize({ ...small(), model, output, ...abortAfter(0) })).rejects.toThrow('stop here')
    await appendFile(join(output, '.awq-partial', 'journal.ndjson'), '{"lay')
    const resumed = { ...small(), model, output, resume: true }
    await expect(quantize({ ...resumed, ...abortAfter(2) })).rejects.toThrow('stop here')
    expect((await quantize(resumed)).resumedLayers).toBe(3)
    expect(await digest(output)).toEqual(await digest(whole))
  })

  test('is not continued with another checkpoint of the same shapes', async () => {
    const output = newOutput()
    const folder = join(scratch, 'tuned')
    await cp(model, folder, { recursive: true })
    await expect(quantize({ ...small(), model: folder, output, ...abortAfter(1) })).rejects.toThrow('stop here')
    const file = join(folder, 'model.safetensors')
    const checkpoint = await openCheckpoint(await openFolder(folder))
    const { offset } = checkpoint.tensors.get('model.layers.4.mlp.up_proj.weight')!
    await checkpoint.close()
    const bytes = await readFile(file)
    bytes.writeFloatLE(0.125, offset)
    await chmod(file, 0o644)
    await writeFile(file, bytes)
    await expect(quantize({ ...small(), model: folder, output, resume: true })).rejects.toThrow(/another checkpoint/)
  })

  test('is not continued with another option of a pass', async () => {
    const output = newOutput()
    const withDamping = (damping: number) => ({ ...small(), model, output, method: gptq({ damping }) })
    await expect(quantize({ ...withDamping(0.01), ...abortAfter(1) })).rejects.toThrow('stop here')
    await expect(quantize({ ...withDamping(0.5), resume: true })).rejects.toThrow(/another passes/)
  })

  test('resume without anything to resume starts at the beginning', async () => {
    expect((await quantize({ ...small(), model, output: newOutput(), resume: true })).resumedLayers).toBe(0)
  })
})

describe('refuses', () => {
  test('an output folder that is not empty', async () => {
    await expect(quantize({ ...small(), model, output: scratch })).rejects.toThrow(/is not empty/)
  })
  test('a quantized model', async () => {
    const output = newOutput()
    await quantize({ engine, model, output, method: 'rtn' })
    await expect(quantize({ engine, model: output, output: newOutput() })).rejects.toThrow(/quantized already/)
    await expect(quantize({ engine, model, output, resume: true })).rejects.toThrow(/holds a finished model/)
  })
  test('an unknown method, impossible bits, no text', async () => {
    await expect(quantize({ ...small(), model, output: newOutput(), method: 'magic' })).rejects.toThrow(
      /known: awq, rtn/,
    )
    await expect(quantize({ ...small(), model, output: newOutput(), groupSize: 48 })).rejects.toThrow(/16, 32, 64/)
    await expect(quantize({ ...small(), model, output: newOutput(), headBits: 2 as 4 })).rejects.toThrow(
      /4, 8 or 16 bits/,
    )
    await expect(quantize({ ...small(), calibration: [], model, output: newOutput() })).rejects.toThrow(/empty/)
    const mistaken = { samples: 4 } as unknown as string
    await expect(quantize({ ...small(), calibration: mistaken, model, output: newOutput() })).rejects.toThrow(
      /array of texts/,
    )
    await expect(quantize({ ...small(), calibration: ['too short'], model, output: newOutput() })).rejects.toThrow(
      /block/,
    )
  })
  test('norms that are not finite, when they are reached in a model that is not on the disk', async () => {
    const { path: _, ...folder } = await openFolder(model)
    const name = 'model.norm.weight'
    const damaged = {
      ...folder,
      async open(file: string) {
        const source = await folder.open(file)
        const header = await openSafetensors(source)
        const { offset } = header.tensors.get(name)!
        return {
          ...source,
          async read(at: number, length: number) {
            const bytes = await source.read(at, length)
            if (at === offset) new DataView(bytes.buffer, bytes.byteOffset).setFloat32(8, Number.NaN, true)
            return bytes
          },
        }
      },
    }
    const output = newOutput()
    await expect(quantize({ engine, model: damaged, output, method: 'rtn' })).rejects.toThrow(
      /model.norm.weight: element 2 is NaN/,
    )
    expect(await readdir(output)).toEqual(['.awq-partial'])
  })
  test('a table with a row that no token reads and that is not finite, before anything is quantized', async () => {
    const folder = join(scratch, 'damaged table')
    await cp(model, folder, { recursive: true })
    const checkpoint = await openCheckpoint(await openFolder(folder))
    const { offset, shape } = checkpoint.tensors.get('model.embed_tokens.weight')!
    await checkpoint.close()
    const file = join(folder, 'model.safetensors')
    const bytes = await readFile(file)
    bytes.writeFloatLE(Number.NEGATIVE_INFINITY, offset + ((shape[0]! - 1) * shape[1]! + 3) * 4)
    await chmod(file, 0o644)
    await writeFile(file, bytes)
    const events: ProgressEvent[] = []
    const output = newOutput()
    const run = { ...small(), model: folder, output, onProgress: (event: ProgressEvent) => events.push(event) }
    await expect(quantize(run)).rejects.toThrow(
      `model.embed_tokens.weight: row ${shape[0]! - 1}, column 3 is -Infinity; the checkpoint is damaged`,
    )
    expect(events).toEqual([])
  })
  test('weights beyond float16, and weights that are not finite before anything is quantized, naming the tensor', async () => {
    const damaged = (value: number): Method => {
      const damage: Pass = {
        name: 'damage',
        run: async (block) => {
          weightOf(block, 'mlp.down_proj')[0] = value
        },
      }
      return { ...awq(), name: 'damaged', passes: [damage, ...awq().passes] }
    }
    const run = (value: number) => quantize({ ...small(), model, output: newOutput(), method: damaged(value) })
    await expect(run(3e6)).rejects.toThrow(/^scale search of model\.layers\.0\.mlp\.down_proj: /)
    const folder = join(scratch, 'huge')
    await cp(model, folder, { recursive: true })
    const checkpoint = await openCheckpoint(await openFolder(folder))
    const { offset } = checkpoint.tensors.get('model.layers.1.mlp.gate_proj.weight')!
    await checkpoint.close()
    const file = join(folder, 'model.safetensors')
    const bytes = await readFile(file)
    bytes.writeFloatLE(Number.NaN, offset)
    await chmod(file, 0o644)
    await writeFile(file, bytes)
    const output = newOutput()
    await expect(quantize({ ...small(), model: folder, output })).rejects.toThrow(
      /^model\.layers\.1\.mlp\.gate_proj\.weight: row 0, column 0 is NaN/,
    )
    await expect(readdir(output)).rejects.toThrow(/ENOENT/)
  })
  test('a method that leaves a matrix without codes, and leaves no model behind', async () => {
    const output = newOutput()
    const lazy: Method = { ...rtn(), name: 'lazy', passes: [] }
    await expect(quantize({ engine, model, output, method: lazy })).rejects.toThrow(/needs a rounding pass/)
    expect(await readdir(output)).toEqual(['.awq-partial'])
  })
})

test('a tied table is stored once, or twice when head and embedding differ', async () => {
  const names = async (headBits: 4 | 8 | 16, embeddingBits: 4 | 8 | 16) => {
    const output = newOutput()
    await quantize({ engine, model, output, method: 'rtn', headBits, embeddingBits })
    const folder = await openFolder(output)
    const { perplexity } = await evaluate({ model: folder, engine, text: 'Once upon a time '.repeat(40), window: 64 })
    await using checkpoint = await openCheckpoint(folder)
    return { tables: [...checkpoint.tensors.keys()].filter((name) => /lm_head|embed/.test(name)).sort(), perplexity }
  }
  const once = await names(8, 8)
  const twice = await names(4, 8)
  expect(once.tables).toEqual(['codes', 'scales'].map((part) => `model.embed_tokens.weight.${part}`))
  expect(twice.tables).toContain('lm_head.weight.codes')
  expect(twice.perplexity).not.toBe(once.perplexity)
  expect((await names(16, 16)).tables).toEqual(['model.embed_tokens.weight'])
})
