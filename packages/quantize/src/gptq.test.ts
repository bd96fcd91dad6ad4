import { createEngine, type Engine } from '@awq/ort'
import { AwqError, dequantize, float16BitsToFloat32 } from '@awq/tensor'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gaussians, gramLoss, plainProduct, randomGram, randomMatrix } from './fixtures/reference.ts'
import { roundGptq, roundGptqBy } from './gptq.ts'
import { factorGram } from './gptq-factor.ts'
import { groupRanges } from './ranges.ts'
import { roundRtn } from './rtn.ts'
import type { QuantSpec } from './spec.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine()
})
afterAll(() => engine.dispose())

const spec = (bits: QuantSpec['bits'], groupSize: number, symmetric = false): QuantSpec => ({
  bits,
  groupSize,
  symmetric,
})

/**
 * GPTQ as the paper has it, in float64: the upper factor of the inverse, and errors spread over the columns to come.
 * Returns the part of codes that differ, and the codes.
 */
function publishedGptq(
  weight: Float32Array,
  out: number,
  width: number,
  gram: Float32Array,
  how: QuantSpec,
  order: number[],
) {
  const hessian = order.map((i) => order.map((j) => gram[i * width + j] as number))
  const mean = hessian.reduce((sum, row, i) => sum + (row[i] as number), 0) / width
  for (const [i, row] of hessian.entries()) row[i] = (row[i] as number) + 0.01 * mean
  const upper = choleskyUpper(inverse(hessian))
  const grid = roundRtn(weight, [out, width], how)
  const groups = grid.scales.length / out
  const codes = new Uint8Array(out * width)
  for (let row = 0; row < out; row++) {
    const values = order.map((column) => weight[row * width + column] as number)
    for (const [i, column] of order.entries()) {
      const group = row * groups + Math.floor(column / grid.groupSize)
      const scale = float16BitsToFloat32(grid.scales[group] as number)
      const zero = grid.zeroPoints?.[group] ?? 2 ** (how.bits - 1)
      const code = Math.min(2 ** how.bits - 1, Math.max(0, Math.round((values[i] as number) / scale) + zero))
      codes[row * width + column] = code
      const error = ((values[i] as number) - (code - zero) * scale) / (upper[i]?.[i] as number)
      for (let j = i; j < width; j++) values[j] = (values[j] as number) - error * (upper[i]?.[j] as number)
    }
  }
  return codes
}

/** Gauss-Jordan without pivoting: good enough for positive definite matrices. */
function inverse(matrix: number[][]): number[][] {
  const size = matrix.length
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))])
  for (let pivot = 0; pivot < size; pivot++) {
    const pivotRow = work[pivot] as number[]
    const scale = 1 / (pivotRow[pivot] as number)
    for (let j = 0; j < 2 * size; j++) pivotRow[j] = (pivotRow[j] as number) * scale
    for (const [i, row] of work.entries()) {
      const factor = row[pivot] as number
      if (i !== pivot && factor !== 0)
        for (let j = 0; j < 2 * size; j++) row[j] = (row[j] as number) - factor * (pivotRow[j] as number)
    }
  }
  return work.map((row) => row.slice(size))
}

/** U with matrix = U^T U. */
function choleskyUpper(matrix: number[][]): number[][] {
  const upper = matrix.map((row) => row.map(() => 0))
  for (const [i, row] of upper.entries()) {
    for (let j = i; j < row.length; j++) {
      let sum = matrix[i]?.[j] as number
      for (let k = 0; k < i; k++) sum -= (upper[k]?.[i] as number) * (upper[k]?.[j] as number)
      row[j] = j === i ? Math.sqrt(sum) : sum / (row[i] as number)
    }
  }
  return upper
}

const part = (codes: Uint8Array, other: Uint8Array) =>
  codes.filter((code, i) => code !== other[i]).length / codes.length

describe('GPTQ', () => {
  // 270 columns: several panels, the last one short; groups that do not divide the row.
  test.each([
    [spec(4, 64), 'activation'],
    [spec(4, 64), 'column'],
    [spec(3, 128, true), 'activation'],
    [spec(2, -1), 'activation'],
    [spec(8, 16), 'column'],
  ] as const)('is what the paper says, %o, %s order', async (how, order) => {
    const random = gaussians(11)
    const [out, width] = [7, 270]
    const weight = randomMatrix(random, out, width, 0.05)
    const gram = randomGram(random, width)
    const columns = Array.from({ length: width }, (_, i) => i)
    if (order === 'activation')
      columns.sort((i, j) => (gram[j * width + j] as number) - (gram[i * width + i] as number))
    const expected = publishedGptq(weight, out, width, gram, how, columns)
    const matrix = await roundGptq(engine, weight, [out, width], gram, how, { order })
    expect(part(matrix.codes, expected)).toBeLessThanOrEqual(0.001)
    const plain = await roundGptqBy(plainProduct, weight, [out, width], gram, how, { order })
    expect(part(plain.codes, expected)).toBeLessThanOrEqual(0.001)
    expect(part(roundRtn(weight, [out, width], how).codes, expected)).toBeGreaterThan(0.05)
  })

  test('has a smaller loss than rounding to nearest, in either order, on random Gram matrices', async () => {
    for (let seed = 1; seed <= 24; seed++) {
      const random = gaussians(seed * 7919)
      const width = 16 + ((seed * 37) % 200)
      const out = 1 + (seed % 9)
      const how = spec(
        ([2, 3, 4, 8] as const)[seed % 4] as 2,
        [16, 32, 64, 128, -1][seed % 5] as number,
        seed % 2 === 0,
      )
      const weight = randomMatrix(random, out, width, 0.1)
      const gram = randomGram(random, width)
      const nearest = gramLoss(weight, dequantize(roundRtn(weight, [out, width], how)), gram)
      for (const order of ['activation', 'column'] as const) {
        const matrix = await roundGptq(engine, weight, [out, width], gram, how, { order })
        expect(gramLoss(weight, dequantize(matrix), gram), `seed ${seed}, ${order}`).toBeLessThan(nearest)
      }
    }
  })

  test('gives the same codes from a shared factor, and in chunks of rows', async () => {
    const random = gaussians(4)
    const weight = randomMatrix(random, 600, 160, 0.1)
    const gram = randomGram(random, 160)
    const factor = await factorGram(engine, gram, 160)
    const whole = await roundGptq(engine, weight, [600, 160], factor, spec(4, 32))
    expect(await roundGptq(engine, weight, [600, 160], gram, spec(4, 32))).toEqual(whole)
    const lower = await roundGptq(engine, weight.subarray(300 * 160), [300, 160], factor, spec(4, 32))
    expect(part(lower.codes, whole.codes.subarray(300 * 160))).toBeLessThanOrEqual(0.001)
    const wrong = roundGptq(engine, weight, [160, 600], factor, spec(4, 32))
    await expect(wrong).rejects.toThrow(/factor is for 160 inputs, the matrix has 600/)
  })

  test('keeps to clipped ranges', async () => {
    const random = gaussians(6)
    const weight = randomMatrix(random, 8, 128, 0.1)
    const gram = randomGram(random, 128)
    const full = groupRanges(weight, [8, 128], spec(4, 32))
    const ranges = { low: full.low.map((low) => low * 0.8), high: full.high.map((high) => high * 0.8) }
    const clipped = await roundGptq(engine, weight, [8, 128], gram, spec(4, 32), { ranges })
    expect(clipped.scales).toEqual(roundRtn(weight, [8, 128], spec(4, 32), ranges).scales)
    expect(clipped.codes).not.toEqual((await roundGptq(engine, weight, [8, 128], gram, spec(4, 32))).codes)
    const short = { low: ranges.low.subarray(1), high: ranges.high }
    await expect(roundGptq(engine, weight, [8, 128], gram, spec(4, 32), { ranges: short })).rejects.toThrow(/32 groups/)
  })

  test('an uncorrelated Gram matrix gives rounding to nearest', async () => {
    const weight = randomMatrix(gaussians(8), 8, 200, 0.1)
    const gram = new Float32Array(200 * 200)
    for (let i = 0; i < 200; i++) gram[i * 201] = 1 + (i % 7)
    const matrix = await roundGptq(engine, weight, [8, 200], gram, spec(4, 32))
    expect(matrix).toEqual(roundRtn(weight, [8, 200], spec(4, 32)))
  })
})

describe('pivots of a factor', () => {
  test.each(['activation', 'column'] as const)('are the variances that later columns leave, by %s', async (order) => {
    const width = 40
    const gram = randomGram(gaussians(11), width)
    const factor = await factorGram(engine, gram, width, { order })
    const mean = gram.reduce((sum, value, at) => (at % (width + 1) === 0 ? sum + value / width : sum), 0)
    for (const position of [0, 7, 38, 39]) {
      const later = [...factor.order.subarray(position)]
      const damped = later.map((i) => later.map((j) => (gram[i * width + j] as number) + (i === j ? 0.01 * mean : 0)))
      const expected = 1 / (inverse(damped)[0]?.[0] as number)
      const pivot = factor.pivots[later[0] as number] as number
      expect(Math.abs(pivot - expected)).toBeLessThan(1e-3 * expected)
    }
  })

  test('are zero for columns without input', async () => {
    const gram = randomGram(gaussians(12), 16)
    for (let at = 0; at < 16; at++) {
      gram[3 * 16 + at] = 0
      gram[at * 16 + 3] = 0
    }
    const { pivots } = await factorGram(engine, gram, 16)
    expect([...pivots].flatMap((pivot, column) => (pivot > 0 ? [] : [column]))).toEqual([3])
  })
})

describe('inputs that are always zero', () => {
  const random = gaussians(9)
  const weight = randomMatrix(random, 8, 160, 0.1)

  test('get zero weights; the others are rounded as without them', async () => {
    const gram = randomGram(random, 160)
    const dead = [3, 40, 159]
    for (const column of dead) for (let i = 0; i < 160; i++) gram[column * 160 + i] = gram[i * 160 + column] = 0
    for (const units of [1, 1e-6]) {
      const scaled = gram.map((value) => value * units)
      const matrix = await roundGptq(engine, weight, [8, 160], scaled, spec(4, 32))
      const values = dequantize(matrix)
      for (let row = 0; row < 8; row++) for (const column of dead) expect(values[row * 160 + column]).toBe(0)
      expect(gramLoss(weight, values, gram)).toBeLessThan(
        gramLoss(weight, dequantize(roundRtn(weight, [8, 160], spec(4, 32))), gram),
      )
    }
  })

  test('everywhere give rounding to nearest', async () => {
    const matrix = await roundGptq(engine, weight, [8, 160], new Float32Array(160 * 160), spec(4, 32))
    expect(matrix).toEqual(roundRtn(weight, [8, 160], spec(4, 32)))
  })
})

describe('damaged statistics', () => {
  const random = gaussians(10)
  const weight = randomMatrix(random, 4, 200, 0.1)
  const good = randomGram(random, 200)
  const spoilt = (change: (gram: Float32Array) => void) => {
    const gram = good.slice()
    change(gram)
    return roundGptq(engine, weight, [4, 200], gram, spec(4, 32), { name: 'down_proj' })
  }

  test('raise the damping with a note where that is enough', async () => {
    // Rank 1 minus a little: positive definite only with more than the default damping.
    const gram = new Float32Array(200 * 200).fill(1)
    for (let i = 0; i < 200; i++) gram[i * 201] = 0.95
    const notes: string[] = []
    const factor = await factorGram(engine, gram, 200, { name: 'down_proj', onNote: (note) => notes.push(note) })
    expect(factor.damping).toBe(0.1)
    expect(notes).toEqual([
      expect.stringMatching(/^down_proj: .* not positive definite at column \d+ with damping 0\.01; trying 0\.1$/),
    ])
  })

  test('are an error where it is not', async () => {
    const bad = spoilt((gram) => {
      for (let i = 0; i < 200; i++) for (let j = 0; j < 200; j++) if (i !== j) gram[i * 200 + j] = -1e3
    })
    await expect(bad).rejects.toThrow(/down_proj: .*not positive definite .* even with damping 1/)
    await expect(bad).rejects.toSatisfy((error) => AwqError.is(error) && error.code === 'NUMERIC')
    await expect(spoilt((gram) => (gram[5 * 201] = -1))).rejects.toThrow(/has -1 on its diagonal at column 5/)
    await expect(spoilt((gram) => (gram[5 * 201] = Number.NaN))).rejects.toThrow(/NaN on its diagonal/)
    await expect(spoilt((gram) => gram.fill(Number.NaN, 7, 8).fill(Number.NaN, 1400, 1401))).rejects.toThrow(
      /NaN or infinite/,
    )
  })

  test('and arguments that do not fit', async () => {
    const run = (options: object) => roundGptq(engine, weight, [4, 200], good, spec(4, 32), options)
    await expect(run({ damping: -1 })).rejects.toThrow(/damping must be between 0 and 1/)
    await expect(run({ damping: Number.NaN })).rejects.toThrow(/damping/)
    await expect(run({ order: 'up' as 'column' })).rejects.toThrow(/order of activation or column, not "up"/)
    await expect(roundGptq(engine, weight, [4, 200], good.subarray(1), spec(4, 32))).rejects.toThrow(
      /not a Gram matrix of 200/,
    )
    await expect(roundGptq(engine, weight, [200, 5], good, spec(4, 32))).rejects.toThrow(/do not fill/)
    const broken = weight.slice().fill(Number.NaN, 205, 206)
    await expect(roundGptq(engine, broken, [4, 200], good, spec(4, 32))).rejects.toThrow(/row 1, column 5 is NaN/)
  })

  test('stop and tell how far they are', async () => {
    const done: number[] = []
    await roundGptq(engine, weight, [4, 200], good, spec(4, 32), { onProgress: (value) => done.push(value) })
    expect(done).toEqual([64 / 200, 128 / 200, 192 / 200, 1])
    const reason = new Error('stop')
    const before = roundGptq(engine, weight, [4, 200], good, spec(4, 32), { signal: AbortSignal.abort(reason) })
    await expect(before).rejects.toBe(reason)
    const controller = new AbortController()
    const onProgress = () => controller.abort(reason)
    const during = roundGptq(engine, weight, [4, 200], good, spec(4, 32), { signal: controller.signal, onProgress })
    await expect(during).rejects.toBe(reason)
  })
})
