import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { evaluate } from '@awq/evaluate'
import { createEngine, type Engine } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inspect, quantize } from './index.ts'

// 64 and 172 inputs: groups of 128 and 256 are longer than some rows, and no group divides 172.
const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const stories = fileURLToPath(new URL('../../../examples/demo/stories-calibration.txt', import.meta.url))
const tokens = Int32Array.from({ length: 128 }, (_, i) => 3 + ((i * i * 31) % 500))

let engine: Engine
let scratch: string
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-grids-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})

/** KL from the float model, nats per token. */
const divergence = async (options: object): Promise<number> => {
  const output = await mkdtemp(join(scratch, 'out-'))
  await quantize({ engine, model, output, calibration: stories, samples: 2, length: 64, ...options })
  const { manifest } = await inspect(output)
  expect(manifest).toMatchObject(options)
  const [quantized, against] = [await openFolder(output), await openFolder(model)]
  return (await evaluate({ model: quantized, against, engine, tokens, window: 128 })).kl!
}

const grids = [2, 3, 4, 8].flatMap((bits) => [false, true].map((symmetric) => ({ bits, symmetric })))

describe('every grid can be stored and run', { timeout: 120_000 }, () => {
  for (const { bits, symmetric } of grids)
    test(`rtn, ${bits} bits, ${symmetric ? 'symmetric' : 'asymmetric'}, all groups`, async () => {
      const losses: number[] = []
      for (const groupSize of [16, 32, 64, 128, 256, -1])
        losses.push(await divergence({ bits, symmetric, groupSize, method: 'rtn' }))
      for (const loss of losses) expect(loss).toBeLessThan({ 2: 12, 3: 4, 4: 0.6, 8: 0.002 }[bits]!)
      if (bits > 2) expect(losses[0]!).toBeLessThan(losses[5]!)
    })

  for (const method of ['awq', 'gptq', 'awq-gptq', 'smoothquant', 'smoothquant-awq'])
    test(`${method}, every bit width once with every kind of group`, async () => {
      const cases = [
        { bits: 2, symmetric: false, groupSize: 16 },
        { bits: 3, symmetric: true, groupSize: 128 },
        { bits: 4, symmetric: true, groupSize: 256 },
        { bits: 8, symmetric: false, groupSize: -1 },
      ]
      const losses: number[] = []
      for (const grid of cases) losses.push(await divergence({ ...grid, method }))
      for (const [i, loss] of losses.entries()) expect(loss).toBeLessThan([8, 4, 0.6, 0.01][i]!)
    })
})
