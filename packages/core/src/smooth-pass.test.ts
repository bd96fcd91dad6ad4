import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { evaluate } from '@awq/evaluate'
import { createEngine, type Engine } from '@awq/ort'
import type { Folder } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plantOutliers } from './fixtures/outliers.ts'
import { scaledLogits } from './fixtures/scaled-logits.ts'
import { type Pass, quantize, smoothPass, smoothquant, smoothquantAwq, statsOf, weightOf } from './index.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const model = path('../../../examples/models/stories260k')
const calibration = { calibration: path('../../../examples/demo/stories-calibration.txt'), samples: 16, length: 64 }

let engine: Engine
let scratch: string
let count = 0
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-smooth-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})
const newOutput = () => join(scratch, `out ${count++}`)
const largest = (values: Iterable<number>) => {
  let most = 0
  for (const value of values) most = Math.max(most, Math.abs(value))
  return most
}

/** The largest magnitude of each column over all rows. */
const columnMaxima = (width: number, ...matrices: readonly Float32Array[]) => {
  const maxima = new Float32Array(width)
  for (const matrix of matrices)
    for (let at = 0; at < matrix.length; at++) maxima[at % width] = Math.max(maxima[at % width]!, Math.abs(matrix[at]!))
  return maxima
}

describe('smoothing leaves the float function as it is', () => {
  const producers = ['norm', 'value', 'linear'] as const
  test.each([
    ['plain', 0.5],
    ['plain', 0],
    ['plain', 1],
    ['tied-bias', 0.5],
    ['head-dim-12', 0.8],
    ['head-dim-20-gelu', 0.5],
    ['bfloat16-sharded', 0.3],
  ] as const)('%s, alpha %d', async (name, alpha) => {
    const folder = await openFolder(path(`../../models/src/fixtures/${name}`))
    const { before, after } = await scaledLogits(engine, folder, newOutput(), [smoothPass({ alpha, producers })])
    const worst = largest(before.map((value, index) => value - after[index]!))
    expect(worst).toBeLessThan(1e-4 * Math.max(1, largest(before)))
    // The weights did change.
    expect(worst).toBeGreaterThan(0)
  })
})

test('at alpha 0.5 the inputs that norms make and the weights that read them have one range; others stay', async () => {
  const before = new Map<string, Float32Array>()
  const seen: string[] = []
  const remember: Pass = {
    name: 'remember',
    async run(block) {
      for (const { name } of block.linears) before.set(`${block.layer} ${name}`, weightOf(block, name).slice())
    },
  }
  const look: Pass = {
    name: 'look',
    async run(block) {
      for (const { kind, consumers, site } of block.scaleGroups) {
        const stats = statsOf(block, site)
        if (kind !== 'norm') {
          for (const name of consumers) expect(weightOf(block, name)).toEqual(before.get(`${block.layer} ${name}`))
          continue
        }
        seen.push(site)
        const weights = columnMaxima(stats.width, ...consumers.map((name) => weightOf(block, name)))
        const sample = columnMaxima(stats.width, stats.sample)
        stats.maxAbs.forEach((most, column) => {
          expect(weights[column]! / most).toBeCloseTo(1, 4)
          // Also the Gram matrix and the sample are of the smoothed activations.
          expect(sample[column]!).toBeLessThan(most * 1.0001)
          expect(sample[column]!).toBeGreaterThan(most / 20)
          expect(stats.gram[column * stats.width + column]!).toBeLessThan(most ** 2 * 1.0001)
        })
      }
    },
  }
  const named = smoothquant()
  const method = { ...named, passes: [remember, ...named.passes.slice(0, 1), look, ...named.passes.slice(1)] }
  await quantize({ ...calibration, engine, model, output: newOutput(), method, groupSize: 32 })
  expect(seen).toHaveLength(2 * 5)
})

describe('with outlier channels planted in the norms', () => {
  let planted: Folder
  let text: string
  beforeAll(async () => {
    planted = await plantOutliers(await openFolder(model), 100)
    text = (await readFile(path('../../../examples/demo/stories-evaluation.txt'), 'utf8')).slice(0, 6000)
  })
  const divergence = async (method: string, bits: 4 | 8 | undefined, against = planted) => {
    const output = newOutput()
    await quantize({ ...calibration, engine, model: planted, output, method, bits, groupSize: 64, symmetric: true })
    const folder = await openFolder(output)
    const manifest = JSON.parse(await folder.readText('quantization.json'))
    const { kl } = await evaluate({ model: folder, against, engine, text, window: 128, accuracy: 'fast' })
    return { kl: kl!, bits: manifest.bits }
  }

  test('the function is the same', async () => {
    const { kl } = await evaluate({ model: planted, against: await openFolder(model), engine, text, window: 128 })
    expect(kl).toBeLessThan(1e-6)
  })

  test('smoothquant is far better than rounding with 8-bit activations, and takes 8 bits when none are asked for', async () => {
    const smooth = await divergence('smoothquant', undefined)
    const plain = await divergence('rtn', 8)
    expect([smooth.bits, plain.bits]).toEqual([8, 8])
    expect(smooth.kl).toBeLessThan(plain.kl / 4)
  })

  test('smoothquant-awq takes the bits it is given, and beats smoothing alone at 4', async () => {
    const both = await divergence('smoothquant-awq', 4)
    const alone = await divergence('smoothquant', 4)
    expect([both.bits, alone.bits]).toEqual([4, 4])
    expect(both.kl).toBeLessThan(alone.kl)
  })
})

test('smoothquant-awq searches by the loss with rounded activations, and goes on after a stop', async () => {
  expect(smoothquantAwq().passes.map(({ name }) => name)).toEqual(['smooth', 'scale', 'clip', 'rtn'])
  expect(smoothquantAwq().passes[1]!.options).toMatchObject({ objective: { name: 'int8-activations' } })
  expect(smoothquantAwq({ objective: 'linear' }).passes[1]!.options).toMatchObject({ objective: { name: 'linear' } })
  expect(smoothquant({ smoothAlpha: 0.7 }).passes[0]!.options).toMatchObject({ alpha: 0.7 })
  const controller = new AbortController()
  const job = { ...calibration, engine, model, output: newOutput(), method: 'smoothquant-awq', groupSize: 32 }
  const stopped = quantize({
    ...job,
    signal: controller.signal,
    onProgress: (event) => {
      if (event.type === 'layer' && event.layer === 1) controller.abort(new Error('stop here'))
    },
  })
  await expect(stopped).rejects.toThrow('stop here')
  await expect(quantize({ ...job, smoothAlpha: 0.4, resume: true })).rejects.toThrow()
  expect((await quantize({ ...job, resume: true })).resumedLayers).toBe(2)
  await expect(quantize({ ...job, output: newOutput(), smoothAlpha: 2 })).rejects.toThrow(
    'alpha must be between 0 and 1',
  )
})
