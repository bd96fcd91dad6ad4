import { createEngine, type Engine } from '@awq/ort'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compensateWeights } from './compensate.ts'
import { gaussians, randomMatrix } from './fixtures/reference.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

/** Repeatable numbers. */
const noise = (length: number, seed: number) => randomMatrix(gaussians(seed), 1, length, 0.5)

/** Mean over tokens of a^T b, for a [tokens, rows] and b [tokens, columns]. */
const meanProduct = (a: Float32Array, b: Float32Array, tokens: number): Float32Array => {
  const [rows, columns] = [a.length / tokens, b.length / tokens]
  const sums = new Float32Array(rows * columns)
  for (let token = 0; token < tokens; token++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        sums[i * columns + j]! += (a[token * rows + i]! * b[token * columns + j]!) / tokens
  return sums
}

/** [tokens, rows]: W x for every token. */
const outputs = (weight: Float32Array, x: Float32Array, width: number): Float32Array => {
  const [rows, tokens] = [weight.length / width, x.length / width]
  return Float32Array.from({ length: tokens * rows }, (_, at) => {
    const [token, row] = [Math.floor(at / rows), at % rows]
    let sum = 0
    for (let i = 0; i < width; i++) sum += weight[row * width + i]! * x[token * width + i]!
    return sum
  })
}

const squaredError = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, at) => sum + (value - b[at]!) ** 2, 0)

const [width, rows, tokens] = [12, 5, 200]
const x = noise(tokens * width, 1)
const drifted = x.map((value, at) => 0.8 * value + 0.1 * x[at - (at % width)]!)
const weight = noise(rows * width, 2)
const gram = meanProduct(drifted, drifted, tokens)

describe('compensateWeights', () => {
  it.each([false, true])('undoes a linear drift, residual %s', async (residual) => {
    const wanted = outputs(weight, x, width)
    const cross = meanProduct(drifted, residual ? wanted : x, tokens)
    const problem = { weights: [weight], width, gram, cross, targets: residual ? rows : width, residual }
    const before = squaredError(outputs(weight, drifted, width), wanted)
    const errorAt = async (strength: number) => {
      const [moved] = await compensateWeights(engine, problem, { strength, damping: 1e-4 })
      return squaredError(outputs(moved!, drifted, width), wanted)
    }
    expect(await errorAt(1)).toBeLessThan(1e-5 * before)
    // Half of the way leaves half of the error, a quarter of its square.
    expect((await errorAt(0.5)) / before).toBeCloseTo(0.25, 3)
    expect((await errorAt(0)) / before).toBeCloseTo(1, 6)
  })
  it('is the damped normal equation', async () => {
    const wanted = noise(tokens * rows, 3)
    const cross = meanProduct(drifted, wanted, tokens)
    const problem = { weights: [weight], width, gram, cross, targets: rows, residual: true }
    const [moved] = await compensateWeights(engine, problem, { strength: 1, damping: 0.3 })
    let mean = 0
    for (let i = 0; i < width; i++) mean += gram[i * width + i]! / width
    // (W' - W) (G + lambda I) = K, with K = mean of (t - W q) q^T
    for (let row = 0; row < rows; row++)
      for (let j = 0; j < width; j++) {
        let left = 0.3 * mean * (moved![row * width + j]! - weight[row * width + j]!)
        let right = cross[j * rows + row]!
        for (let i = 0; i < width; i++) {
          left += (moved![row * width + i]! - weight[row * width + i]!) * gram[i * width + j]!
          right -= weight[row * width + i]! * gram[i * width + j]!
        }
        expect(left).toBeCloseTo(right, 5)
      }
  })
  it('refuses what does not fit', async () => {
    const problem = { weights: [weight], width, gram, cross: gram, targets: width, residual: false }
    await expect(compensateWeights(engine, problem, { strength: 2 })).rejects.toThrow(/strength/)
    await expect(compensateWeights(engine, problem, { damping: 0 })).rejects.toThrow(/damping/)
    await expect(compensateWeights(engine, { ...problem, weights: [new Float32Array(7)] })).rejects.toThrow(
      /do not fit/,
    )
  })
})
