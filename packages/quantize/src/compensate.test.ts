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

/** Means over the first half of the tokens and over the second. */
const halvesOf = (q: Float32Array, target: Float32Array) =>
  [0, 1].map((half) => {
    const part = (values: Float32Array) => values.subarray((half * values.length) / 2, ((half + 1) * values.length) / 2)
    const [inputs, wanted] = [part(q), part(target)]
    return { gram: meanProduct(inputs, inputs, tokens / 2), cross: meanProduct(inputs, wanted, tokens / 2) }
  })

describe('compensateWeights', () => {
  it.each([false, true])('undoes a linear drift, residual %s', async (residual) => {
    const wanted = outputs(weight, x, width)
    const halves = halvesOf(drifted, residual ? wanted : x)
    const problem = { weights: [weight], width, halves, targets: residual ? rows : width, residual }
    const before = squaredError(outputs(weight, drifted, width), wanted)
    const errorAt = async (strength: number) => {
      const { weights, step } = await compensateWeights(engine, problem, { strength, damping: 1e-4 })
      // What holds on one half holds on the other.
      expect(step).toBeCloseTo(strength, 3)
      return squaredError(outputs(weights[0]!, drifted, width), wanted)
    }
    expect(await errorAt(1)).toBeLessThan(1e-4 * before)
    // Half of the way leaves half of the error, a quarter of its square.
    expect((await errorAt(0.5)) / before).toBeCloseTo(0.25, 2)
    expect((await errorAt(0)) / before).toBeCloseTo(1, 6)
  })
  it('goes the way of the damped normal equations, averaged over the halves', async () => {
    const wanted = noise(tokens * rows, 3).map((value, at) => 0.05 * value + outputs(weight, x, width)[at]!)
    const halves = halvesOf(drifted, wanted)
    const problem = { weights: [weight], width, halves, targets: rows, residual: true }
    const { weights, step } = await compensateWeights(engine, problem, { strength: 1, damping: 0.3 })
    expect(step).toBeGreaterThan(0.5)
    const regressions = halves.map(({ gram, cross }) => regression(gram, cross, 0.3))
    for (const [at, value] of weights[0]!.entries())
      expect(value - weight[at]!).toBeCloseTo((step * (regressions[0]![at]! + regressions[1]![at]!)) / 2, 4)
  })
  it('stays where the halves have nothing in common', async () => {
    const steps: number[] = []
    for (const seed of [3, 4, 5, 6]) {
      const wanted = noise(tokens * rows, seed)
      const own = outputs(weight, drifted, width)
      const halves = halvesOf(
        drifted,
        wanted.map((value, at) => value + own[at]!),
      )
      steps.push(
        (await compensateWeights(engine, { weights: [weight], width, halves, targets: rows, residual: true })).step,
      )
    }
    expect(Math.max(...steps)).toBeLessThan(0.15)
    const { weights, step } = await compensateWeights(engine, {
      ...{ weights: [weight], width, targets: width, residual: false },
      halves: halvesOf(drifted, x).slice(1),
    })
    expect(step).toBe(0)
    expect(weights[0]).toEqual(weight)
  })
  it('refuses what does not fit', async () => {
    const problem = { weights: [weight], width, halves: halvesOf(drifted, x), targets: width, residual: false }
    await expect(compensateWeights(engine, problem, { strength: 2 })).rejects.toThrow(/strength/)
    await expect(compensateWeights(engine, problem, { damping: 0 })).rejects.toThrow(/damping/)
    await expect(compensateWeights(engine, { ...problem, weights: [new Float32Array(7)] })).rejects.toThrow(
      /do not fit/,
    )
  })
})

/** K (G + lambda I)^-1 for K = cross^T - W G, by Gauss and Jordan. */
function regression(gram: Float32Array, cross: Float32Array, damping: number): Float64Array {
  const mean = Array.from({ length: width }, (_, i) => gram[i * width + i]!).reduce((a, b) => a + b) / width
  const matrix = Array.from({ length: width }, (_, i) =>
    Float64Array.from({ length: width + rows }, (_, j) => {
      if (j < width) return gram[i * width + j]! + (i === j ? damping * mean : 0)
      let value = cross[i * rows + j - width]!
      for (let k = 0; k < width; k++) value -= gram[i * width + k]! * weight[(j - width) * width + k]!
      return value
    }),
  )
  for (let i = 0; i < width; i++) {
    const pivot = matrix[i]![i]!
    matrix[i] = matrix[i]!.map((value) => value / pivot)
    for (let other = 0; other < width; other++) {
      if (other === i) continue
      const factor = matrix[other]![i]!
      matrix[other] = matrix[other]!.map((value, j) => value - factor * matrix[i]![j]!)
    }
  }
  return Float64Array.from({ length: rows * width }, (_, at) => matrix[at % width]![width + Math.floor(at / width)]!)
}
