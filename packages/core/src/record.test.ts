import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEngine, type Engine } from '@awq/ort'
import { openStore, readMatrix } from '@awq/quantize'
import { dequantize, openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LinearRecord, Method, Pass, ProgressEvent, QuantizationRecord, QuantizeOptions } from './index.ts'
import { applyScale, awq, gptq, quantize, rtn, statsOf } from './index.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const stories = fileURLToPath(new URL('../../../examples/demo/stories-calibration.txt', import.meta.url))

let engine: Engine
let scratch: string
let count = 0
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-record-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})
const newOutput = () => join(scratch, `out${count++}`)

const run = async (options: Partial<QuantizeOptions> = {}) => {
  const output = options.output ?? newOutput()
  const common = { engine, calibration: stories, samples: 8, length: 64, groupSize: 32, bits: 3 } as const
  const result = await quantize({ ...common, model, method: 'awq', record: true, ...options, output })
  return { output, record: result.record! }
}
const fullName = ({ layer, name }: LinearRecord) => `model.layers.${layer}.${name}.weight`

/** tr(M G M^T) in double precision. */
const form = (matrix: Float64Array, gram: Float32Array, width: number): number => {
  let sum = 0
  for (let start = 0; start < matrix.length; start += width)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) sum += matrix[start + i]! * gram[i * width + j]! * matrix[start + j]!
  return sum
}

/** A pass that keeps copies of weights and Gram matrices under a prefix. */
const keep = (kept: Map<string, Float32Array>, prefix: string): Pass => ({
  name: `keep ${prefix}`,
  async run(block) {
    for (const { name, site } of block.linears) {
      kept.set(`${prefix} ${block.layer} ${name}`, block.weights.get(`${name}.weight`)!.slice())
      kept.set(`${prefix} ${block.layer} ${name} gram`, statsOf(block, site).gram.slice())
    }
  },
})

describe('the record of a linear', () => {
  test('has the losses that double precision finds in what is stored', async () => {
    const kept = new Map<string, Float32Array>()
    const [scale, clip, round] = awq().passes as [Pass, Pass, Pass]
    const passes = [keep(kept, 'first'), scale, clip, keep(kept, 'last'), round]
    const { output, record } = await run({ method: { ...awq(), name: 'watched', passes } })
    const plain = await run({ method: 'rtn' })
    const stores = [await openStore(await openFolder(output)), await openStore(await openFolder(plain.output))] as const
    expect(record.linears).toHaveLength(5 * 7)
    for (const linear of record.linears.filter(({ layer }) => layer === 1)) {
      const width = linear.shape[1]
      const key = `1 ${linear.name}`
      const [original, folded, gram] = [`first ${key}`, `last ${key}`, `first ${key} gram`].map((k) => kept.get(k)!)
      const stored = dequantize(await readMatrix(stores[0], fullName(linear)))
      const nearest = dequantize(await readMatrix(stores[1], fullName(linear)))
      // A fold multiplies each weight by one factor: Q times the factor's inverse stands where W stood.
      const after = Float64Array.from(original!, (w, at) => stored[at]! * (w / folded![at]!) - w)
      const before = Float64Array.from(original!, (w, at) => nearest[at]! - w)
      expect(linear.power! / form(Float64Array.from(original!), gram!, width)).toBeCloseTo(1, 4)
      expect(linear.lossBefore! / form(before, gram!, width)).toBeCloseTo(1, 4)
      expect(linear.lossAfter! / form(after, gram!, width)).toBeCloseTo(1, 4)
      const square = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value * value, 0)
      const rounding = folded!.map((w, at) => stored[at]! - w)
      expect(linear.weightError / (square(rounding) / square(folded!))).toBeCloseTo(1, 4)
    }
    for (const store of stores) await store.close()
  })

  test('adds up to the losses of the scale search where nothing is clipped', async () => {
    const method: Method = { ...awq(), passes: [awq().passes[0]!, rtn().passes[0]!] }
    const { linears, scaleGroups } = (await run({ method })).record
    expect(scaleGroups).toHaveLength(5 * 4)
    for (const { layer, producer, consumers, loss, identityLoss, pass } of scaleGroups) {
      expect(pass).toBe('scale')
      const sum = (key: 'lossBefore' | 'lossAfter') =>
        linears
          .filter((linear) => linear.layer === layer && consumers.includes(linear.name))
          .reduce((total, linear) => total + linear[key]!, 0)
      // Rows that a later scale is folded into round in other units, and a consumer of theirs sees them rescaled.
      if (producer !== 'mlp.up_proj') expect(sum('lossBefore') / identityLoss!).toBeCloseTo(1, 2)
      expect(Math.abs(sum('lossAfter') / loss! - 1)).toBeLessThan(0.05)
    }
    for (const { clip } of linears) expect(clip.slice(0, -1).every((groups) => groups === 0)).toBe(true)
  })

  test('counts the groups of each clip ratio', async () => {
    const ratios = new Map<string, Float32Array>()
    const watch: Pass = {
      name: 'watch',
      async run(block) {
        for (const [name, { low, high }] of block.ranges) {
          const width = block.linears.find((linear) => linear.name === name)!.shape[1]
          const weight = block.weights.get(`${name}.weight`)!
          const full = low.map((_, group) => {
            const groups = Math.ceil(width / 32)
            const start = Math.floor(group / groups) * width + (group % groups) * 32
            const stop = Math.min(start + 32, (Math.floor(group / groups) + 1) * width)
            const values = [0, ...weight.subarray(start, stop)]
            return Math.max(...values) - Math.min(...values)
          })
          ratios.set(
            `${block.layer} ${name}`,
            full.map((range, group) => (high[group]! - low[group]!) / range),
          )
        }
      },
    }
    const [scale, clip, round] = awq().passes as [Pass, Pass, Pass]
    const { linears } = (await run({ method: { ...awq(), passes: [scale, clip, watch, round] } })).record
    for (const linear of linears) {
      const counts = new Array(21).fill(0)
      for (const ratio of ratios.get(`${linear.layer} ${linear.name}`)!) counts[Math.round(ratio * 20)]++
      expect(linear.clip).toEqual(counts)
    }
    expect(linears.some(({ clip }) => clip.at(-1)! < clip.reduce((sum, groups) => sum + groups))).toBe(true)
  })
})

describe('the record of a model', () => {
  test('counts the bytes of the checkpoint and of the store, and its stages the seconds', async () => {
    const { output, record } = await run()
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
    await using before = await openCheckpoint(await openFolder(model))
    await using after = await openCheckpoint(await openFolder(output))
    for (const { name, floatBytes, storedBytes } of record.tensors) {
      expect(floatBytes).toBe(before.tensors.get(name)!.length)
      const parts = [...after.tensors.values()].filter((part) => part.name === name || part.name.startsWith(`${name}.`))
      expect(storedBytes).toBe(sum(parts.map(({ length }) => length)))
    }
    expect(sum(record.tensors.map(({ floatBytes }) => floatBytes))).toBe(record.inputBytes)
    expect(sum(record.tensors.map(({ shape }) => shape.reduce((a, b) => a * b)))).toBe(record.model.parameters)
    expect(sum(record.stages.map(({ seconds }) => seconds))).toBeCloseTo(record.seconds, 6)
    expect(record.stages.map(({ stage }) => stage)).toContain('record')
    expect(record).toMatchObject({
      model: { name: 'stories260k', type: 'llama', layers: 5 },
      method: { name: 'awq', passes: [{ name: 'scale' }, { name: 'clip' }, { name: 'rtn' }] },
      options: { bits: 3, groupSize: 32, samples: 8, length: 64 },
      calibration: { source: 'stories-calibration.txt', samples: 8, length: 64 },
      missingLayers: [],
    })
    expect(JSON.parse(JSON.stringify(record))).toEqual(record)
  })

  test('lists the largest channels of every input with the scale they were given', async () => {
    const kept = new Map<string, Float32Array>()
    const fixed: Pass = {
      name: 'fixed',
      async run(block) {
        for (const group of block.scaleGroups) {
          kept.set(`${block.layer} ${group.consumers[0]}`, statsOf(block, group.site).meanAbs.slice())
          applyScale(block, group, { scale: new Float32Array(group.producerRow.length).fill(1.5) })
        }
      },
    }
    const { record } = await run({ method: { ...awq(), name: 'fixed', passes: [fixed, ...rtn().passes] } })
    expect(record.inputs).toHaveLength(5 * 4)
    for (const { layer, readers, channels, median } of record.inputs) {
      const meanAbs = kept.get(`${layer} ${readers[0]}`)!
      const sorted = [...meanAbs].sort((a, b) => b - a)
      expect(channels.map((channel) => channel.meanAbs)).toEqual(sorted.slice(0, 8))
      for (const { index, meanAbs: mean, scale } of channels) {
        expect(mean).toBe(meanAbs[index])
        expect(scale).toBeCloseTo(1.5, 5)
      }
      expect(median).toBe([...meanAbs].sort((a, b) => a - b)[meanAbs.length >> 1])
    }
    expect(record.scaleGroups[0]).toEqual({
      layer: 0,
      producer: 'input_layernorm',
      consumers: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
      pass: 'fixed',
    })
  })

  test('of a method without statistics has weight errors and no losses', async () => {
    const { record } = await run({ method: 'rtn' })
    expect(record).toMatchObject({ calibration: null, inputs: [], scaleGroups: [] })
    for (const linear of record.linears) {
      expect(linear).not.toHaveProperty('lossAfter')
      expect(linear.weightError).toBeGreaterThan(0)
    }
  })

  test('names every option of methods that was given', async () => {
    const { record } = await run({ method: 'smoothquant', bits: 8, smoothAlpha: 0.4, propagate: 'float', samples: 4 })
    expect(record.options).toEqual({
      bits: 8,
      groupSize: 32,
      samples: 4,
      length: 64,
      smoothAlpha: 0.4,
      propagate: 'float',
    })
    const given = {
      clipEnds: 'independent',
      scaleStrategy: 'duo',
      objective: 'linear',
      order: 'column',
      damping: 0.02,
    } as const
    expect((await run({ method: 'rtn', ...given })).record.options).toMatchObject(given)
  })

  test('of a method without scales has losses and channels', async () => {
    const { linears, inputs, scaleGroups } = (await run({ method: gptq() })).record
    expect(scaleGroups).toEqual([])
    for (const { channels } of inputs) for (const { scale } of channels) expect(scale).toBe(1)
    const relative = (key: 'lossBefore' | 'lossAfter') =>
      linears.reduce((sum, linear) => sum + linear[key]! / linear.power!, 0)
    expect(relative('lossAfter')).toBeLessThan(relative('lossBefore'))
  })

  test('is not made when nobody asks, and changes no byte of the model', async () => {
    const output = newOutput()
    const common = { engine, calibration: stories, samples: 8, length: 64, groupSize: 32, bits: 3, model } as const
    expect(await quantize({ ...common, method: 'awq', output })).not.toHaveProperty('record')
    const recorded = await run()
    for (const file of ['model.safetensors', 'quantization.json'])
      expect(await readFile(join(recorded.output, file))).toEqual(await readFile(join(output, file)))
  })
})

describe('the record of a resumed run', () => {
  const interrupted = async (record: boolean) => {
    const output = newOutput()
    const controller = new AbortController()
    const onProgress = (event: ProgressEvent) => {
      if (event.type === 'layer' && event.layer === 1) controller.abort(new Error('stop here'))
    }
    await expect(run({ output, record, signal: controller.signal, onProgress })).rejects.toThrow('stop here')
    return (await run({ output, resume: true })).record
  }
  const figures = ({ linears, inputs, scaleGroups, tensors }: QuantizationRecord) => {
    return { linears, inputs, scaleGroups, tensors }
  }

  test('is that of a run at one go', async () => {
    const resumed = await interrupted(true)
    expect(figures(resumed)).toEqual(figures((await run()).record))
    expect(resumed).toMatchObject({ resumedLayers: 2, missingLayers: [] })
  })

  test('names the layers that an interrupted run without a record finished', async () => {
    const resumed = await interrupted(false)
    expect(resumed.missingLayers).toEqual([0, 1])
    expect([...new Set(resumed.linears.map(({ layer }) => layer))]).toEqual([2, 3, 4])
    expect(resumed.scaleGroups).toHaveLength(5 * 4)
  })
})
