import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { evaluate } from '@awq/evaluate'
import { createEngine, type Engine } from '@awq/ort'
import { openStore, readMatrix, roundRtn } from '@awq/quantize'
import {
  dequantize,
  float16BitsToFloat32,
  float32ToFloat16Bits,
  openCheckpoint,
  readFloat32,
  type TensorEntry,
} from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  codedStatsOf,
  codedWeightOf,
  compare,
  keepSalient,
  type Method,
  type Pass,
  type QuantizeOptions,
  quantize,
  rtn,
  statsOf,
  weightOf,
} from './index.ts'
import { salientCount } from './salient.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const stories = fileURLToPath(new URL('../../../examples/demo/stories-calibration.txt', import.meta.url))
const evaluation = fileURLToPath(new URL('../../../examples/demo/stories-evaluation.txt', import.meta.url))

let engine: Engine
let scratch: string
let count = 0
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-salient-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})
const small = () => ({ engine, model, calibration: stories, samples: 8, length: 64, groupSize: 32, bits: 3 as const })
const run = async (options: Partial<QuantizeOptions>) => {
  const output = join(scratch, `out ${count++}`)
  await quantize({ ...small(), output, ...options })
  return output
}

const q = 'model.layers.2.self_attn.q_proj.weight'
const up = 'model.layers.2.mlp.up_proj.weight'
const gate = 'model.layers.2.mlp.gate_proj.weight'
const down = 'model.layers.2.mlp.down_proj.weight'

const floatOf = async (name: string) => {
  await using checkpoint = await openCheckpoint(await openFolder(model))
  const entry = checkpoint.tensors.get(name) as TensorEntry
  const [out, width] = entry.shape as [number, number]
  return { values: await readFloat32(entry), shape: [out, width] as const }
}

const storedOf = async (output: string, ...names: string[]) => {
  await using store = await openStore(await openFolder(output))
  return await Promise.all(names.map((name) => readMatrix(store, name)))
}

const half = (value: number) => float16BitsToFloat32(float32ToFloat16Bits(value))

test.each([
  [0, 100, 0],
  [0.001, 64, 1],
  [0.01, 64, 1],
  [0.01, 172, 2],
  [0.07, 100, 7],
  [0.03, 576, 18],
  [1, 64, 64],
])('a share of %d of %i channels is %i of them', (fraction, width, expected) => {
  expect(salientCount(fraction, width)).toBe(expected)
})

describe('quantize with keepSalient', () => {
  test('stores the largest columns as they were and the others as if these were not there', async () => {
    const output = await run({ method: 'rtn', keepSalient: 0.05, salientBy: 'weight' })
    const [matrix] = await storedOf(output, down)
    const { values, shape } = await floatOf(down)
    const [out, width] = shape
    const sums = Array.from({ length: width }, (_, column) =>
      values.reduce((sum, value, at) => sum + (at % width === column ? Math.abs(value) : 0), 0),
    )
    const order = sums.map((_, column) => column).sort((a, b) => sums[b]! - sums[a]!)
    const chosen = order.slice(0, Math.ceil(0.05 * width))
    expect([...matrix!.denseColumns!.indices]).toEqual([...chosen].sort((a, b) => a - b))
    const rest = values.map((value, at) => (chosen.includes(at % width) ? 0 : value))
    const rounded = dequantize(roundRtn(rest, [out, width], { bits: 3, groupSize: 32, symmetric: false }))
    const expected = rounded.map((value, at) => (chosen.includes(at % width) ? half(values[at]!) : value))
    expect(dequantize(matrix!)).toEqual(expected)
  })

  test('by activation: those of the largest mean, the same for all that read one input', async () => {
    const means = new Map<string, Float32Array>()
    const watch: Pass = {
      name: 'watch',
      async run(block) {
        if (block.layer !== 2) return
        for (const { name, site } of block.linears)
          means.set(`model.layers.2.${name}.weight`, statsOf(block, site).meanAbs)
      },
    }
    const method: Method = { ...rtn(), name: 'watched', statistics: true, passes: [watch, ...rtn().passes] }
    const output = await run({ method, keepSalient: 0.05 })
    for (const [name, matrix] of [
      [q, 0],
      [up, 1],
      [down, 2],
    ].map(([name, at]) => [name, at] as [string, number])) {
      const [found, sibling] = await storedOf(output, name, name === up ? gate : name)
      const mean = means.get(name)!
      const least = Math.min(...[...found!.denseColumns!.indices].map((channel) => mean[channel]!))
      const above = mean.filter((value) => value >= least).length
      expect([matrix, above]).toEqual([matrix, found!.denseColumns!.indices.length])
      expect(sibling!.denseColumns!.indices).toEqual(found!.denseColumns!.indices)
    }
  })

  test('at random: by the seed', async () => {
    const indicesOf = async (seed?: number) => {
      const output = await run({ method: 'rtn', keepSalient: 0.1, salientBy: 'random', seed })
      return (await storedOf(output, q, up, down)).map(({ denseColumns }) => [...denseColumns!.indices])
    }
    const [none, zero, one] = [await indicesOf(), await indicesOf(0), await indicesOf(1)]
    expect(zero).toEqual(none)
    expect(one).not.toEqual(none)
    expect(none[0]).not.toEqual(none[1])
    expect(none.map(({ length }) => length)).toEqual([7, 7, 18])
  })

  test.each(['awq', 'gptq', 'awq-gptq', 'smoothquant'])('works with %s, and less is lost', async (name) => {
    const losses: number[] = []
    const text = (await readFile(evaluation, 'utf8')).slice(0, 4000)
    for (const keep of [0, 0.15]) {
      const output = await run({ method: name, keepSalient: keep, bits: 2 })
      losses.push((await evaluate({ model: await openFolder(output), engine, text, window: 256 })).perplexity)
    }
    expect(losses[1]).toBeLessThan(losses[0]!)
  })

  test('an interrupted run gives the same bytes when it is resumed', async () => {
    const options = { method: 'gptq', keepSalient: 0.05 }
    const whole = await run(options)
    const output = join(scratch, 'interrupted')
    const controller = new AbortController()
    const stopping = quantize({
      ...small(),
      ...options,
      output,
      signal: controller.signal,
      onProgress: (event) => {
        if (event.type === 'layer' && event.layer === 2) controller.abort(new Error('stop here'))
      },
    })
    await expect(stopping).rejects.toThrow('stop here')
    await expect(quantize({ ...small(), ...options, keepSalient: 0.1, output, resume: true })).rejects.toThrow(/passes/)
    await quantize({ ...small(), ...options, output, resume: true })
    for (const file of await readdir(whole)) {
      const hash = async (folder: string) =>
        createHash('sha256')
          .update(await readFile(join(folder, file)))
          .digest('hex')
      expect(await hash(output)).toBe(await hash(whole))
    }
  })

  test.each([
    [{ keepSalient: 1.5 }, /share of salient channels must be between 0 and 1, not 1\.5/],
    [{ keepSalient: -0.1 }, /not -0\.1/],
    [{ keepSalient: Number.NaN }, /not NaN/],
    [{ keepSalient: 0.1, salientBy: 'size' as 'weight' }, /chosen by activation, weight, random, not "size"/],
    [{ keepSalient: 0.1, seed: 0.5 }, /seed must be an integer/],
  ])('refuses %j', async (options, message) => {
    await expect(run({ method: 'rtn', ...options })).rejects.toThrow(message)
  })
})

test('what passes see: no weight and no activation of a salient channel, GPTQ leaves it alone', async () => {
  const seen: string[] = []
  const watch: Pass = {
    name: 'watch',
    async run(block) {
      for (const { name, shape, site } of block.linears) {
        const channels = block.salient.get(site)!
        const [out, width] = shape
        const { gram, meanAbs } = codedStatsOf(block, site)
        expect(codedStatsOf(block, site).gram).toBe(gram)
        expect(meanAbs).toEqual(statsOf(block, site).meanAbs)
        const coded = codedWeightOf(block, name)
        const weight = weightOf(block, name)
        for (let row = 0; row < out; row++)
          for (let column = 0; column < width; column++) {
            const value = channels.includes(column) ? 0 : weight[row * width + column]
            if (coded[row * width + column] !== value) seen.push(`${name} ${row} ${column}`)
          }
        for (const channel of channels)
          for (let other = 0; other < width; other++)
            if (gram[channel * width + other] !== 0 || gram[other * width + channel] !== 0)
              seen.push(`${site} ${channel}`)
      }
    },
  }
  await run({
    method: { ...rtn(), name: 'watched', statistics: true, passes: [watch, ...rtn().passes] },
    keepSalient: 0.1,
  })
  expect(seen).toEqual([])
})

test('compare counts the bytes of float columns', async () => {
  const text = (await readFile(evaluation, 'utf8')).slice(0, 8000)
  const methods = [rtn(), { ...keepSalient(rtn(), { fraction: 0.25, by: 'random' }), name: 'some' }]
  const [, plain, some] = await compare({ ...small(), methods, bits: [3], text, window: 128 })
  expect(some!.method).toBe('some')
  const width = 64
  const mlp = 172
  const columns = 5 * (salientCount(0.25, width) * (64 + 32 + 32 + 64 + 2 * mlp) + salientCount(0.25, mlp) * 64)
  const indices = 5 * 4 * (6 * salientCount(0.25, width) + salientCount(0.25, mlp))
  expect(some!.bytes - plain!.bytes).toBe(2 * columns + indices)
  expect(some!.perplexity).not.toBe(plain!.perplexity)
})
