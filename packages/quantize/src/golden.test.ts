import { createEngine, type Engine } from '@awq/ort'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openGolden } from './fixtures/golden.ts'
import { roundGptq } from './gptq.ts'
import { roundRtn } from './rtn.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine()
})
afterAll(() => engine.dispose())

const gptq = await openGolden('gptq')
const rtn = await openGolden('rtn')

const differing = (one: Uint8Array, other: Uint8Array) =>
  one.reduce((sum, code, i) => sum + Number(code !== other[i]), 0)

describe('compressed-tensors', () => {
  test.each(rtn.cases)('RTN $case', async ({ case: name, shape, ...spec }) => {
    const matrix = roundRtn(await rtn.float32('weight'), shape, spec)
    const zeroPoints = await rtn.bytes(`${name}.zeroPoints`)
    const scales = await rtn.uint16(`${name}.scales`)
    const codes = await rtn.bytes(`${name}.codes`)
    // It gives an empty group the smallest scale of its dtype; here that is 1, and zero is zero either way.
    const empty = (group: number) => matrix.scales[group] === 0x3c00 && scales[group] !== 0x3c00
    const full = <T extends { [index: number]: number; length: number }>(values: T) =>
      Array.from(values, (value, group) => (empty(group) ? -1 : value))
    expect(full(matrix.scales)).toEqual(full(scales))
    if (matrix.zeroPoints !== null) expect(full(matrix.zeroPoints)).toEqual(full(zeroPoints))
    const groups = scales.length / shape[0]
    const groupOf = (index: number) =>
      Math.floor(index / shape[1]) * groups + Math.floor((index % shape[1]) / matrix.groupSize)
    expect([...codes].flatMap((code, i) => (code !== matrix.codes[i] && !empty(groupOf(i)) ? [i] : []))).toEqual([])
  })
})

describe('llm-compressor', () => {
  const runs = gptq.cases.flatMap((one) => (['activation', 'column'] as const).map((order) => ({ ...one, order })))
  test.each(runs)('GPTQ $case in $order order', async ({ case: name, data, shape, order, ...spec }) => {
    const weight = await gptq.float32(`${data}.weight`)
    const gram = await gptq.float32(`${data}.gram`)
    const matrix = await roundGptq(engine, weight, shape, gram, spec, { order, damping: 0.01 })
    expect(matrix.scales).toEqual(await gptq.uint16(`${name}.scales`))
    if (matrix.zeroPoints !== null) expect(matrix.zeroPoints).toEqual(await gptq.bytes(`${name}.zeroPoints`))
    const codes = await gptq.bytes(`${name}.${order}.codes`)
    const share = 1 - differing(matrix.codes, codes) / codes.length
    if (process.env.SHOW) console.log(name, order, share)
    expect(share).toBeGreaterThanOrEqual(0.999)
    // The comparison means something only where GPTQ differs from RTN.
    expect(differing(roundRtn(weight, shape, spec).codes, codes) / codes.length).toBeGreaterThan(0.1)
  })
})
