import { createEngine, type Engine } from '@awq/ort'
import { roundRtn } from '@awq/quantize'
import { dequantize } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noise, traceLoss, weights } from './fixtures/data.ts'
import { columnBlocks } from './gram-form.ts'
import { quantizationLoss } from './quantization-loss.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(async () => {
  await engine.dispose()
})

describe('columnBlocks', () => {
  it.each([1, 15, 16, 255, 256, 264, 576, 1000, 1536, 4097, 14336])('covers every column of width %i once', (width) => {
    const blocks = columnBlocks(width)
    expect(blocks[0]!.start).toBe(0)
    expect(blocks.at(-1)!.end).toBe(width)
    blocks.forEach(({ start, end }, index) => {
      expect(end).toBeGreaterThan(start)
      if (index > 0) expect(start).toBe(blocks[index - 1]!.end)
    })
  })
})

describe('quantizationLoss', () => {
  it.each([
    [7, 48],
    [5, 264],
    [3, 300],
    [700, 80],
  ])('is tr(E G E^T) of a [%i, %i] matrix', async (rows, width) => {
    const factor = noise(width * width, 3)
    const gram = new Float32Array(width * width)
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) gram[i * width + j] = factor[i * width + j]! + factor[j * width + i]!
    }
    for (let i = 0; i < width; i++) gram[i * width + i]! += width
    const weight = weights(rows * width, rows)
    const quantized = roundRtn(weight, [rows, width], { bits: 4, groupSize: 32, symmetric: false })
    const error = Float64Array.from(dequantize(quantized), (value, index) => value - weight[index]!)
    const expected = traceLoss(error, gram, width)
    const loss = await quantizationLoss(engine, weight, quantized, gram)
    expect(Math.abs(loss - expected)).toBeLessThan(1e-5 * expected)
  })

  it('refuses shapes that do not fit', async () => {
    const quantized = roundRtn(weights(64, 1), [2, 32], { bits: 4, groupSize: 32, symmetric: false })
    await expect(quantizationLoss(engine, weights(64, 1), quantized, new Float32Array(16))).rejects.toThrow(/\[2, 32\]/)
  })
})
