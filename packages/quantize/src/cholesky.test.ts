import { createEngine, type Engine } from '@awq/ort'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { solveGramBy } from './cholesky.ts'
import { gaussians, randomMatrix } from './fixtures/reference.ts'
import { engineProduct } from './product.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

/** Repeatable numbers. */
const noise = (length: number, seed: number) => randomMatrix(gaussians(seed), 1, length, 0.5)

describe('solveGramBy', () => {
  it.each([
    [5, 3],
    [128, 7],
    [300, 40],
  ])('[%i, %i] solves the damped system', async (width, columns) => {
    const x = noise(width * width, width)
    const gram = new Float32Array(width * width)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++)
        for (let k = 0; k < width; k++) gram[i * width + j]! += x[k * width + i]! * x[k * width + j]!
    const right = noise(width * columns, 2)
    const solution = await solveGramBy(engineProduct(engine), gram, width, right, 0.05)
    let mean = 0
    for (let i = 0; i < width; i++) mean += gram[i * width + i]! / width
    for (let i = 0; i < width; i++)
      for (let column = 0; column < columns; column++) {
        let sum = 0.05 * mean * solution![i * columns + column]!
        for (let j = 0; j < width; j++) sum += gram[i * width + j]! * solution![j * columns + column]!
        expect(Math.abs(sum - right[i * columns + column]!)).toBeLessThan(1e-4)
      }
  })
  it('gives null for a matrix that is not positive definite', async () => {
    const gram = Float32Array.of(1, 5, 5, 1)
    expect(await solveGramBy(engineProduct(engine), gram, 2, Float32Array.of(1, 1), 0.01)).toBeNull()
  })
})
