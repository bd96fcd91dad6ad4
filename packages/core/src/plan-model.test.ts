import { createHash } from 'node:crypto'
import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEngine, type Engine } from '@awq/ort'
import { openCheckpoint } from '@awq/tensor'
import { openFolder } from '@awq/tensor/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  inspect,
  type Method,
  type Pass,
  type PlannedModel,
  type ProgressEvent,
  planModel,
  quantize,
  rtn,
} from './index.ts'
import { openPlanner } from './plan-model.ts'
import { openSource } from './source-model.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const stories = fileURLToPath(new URL('../../../examples/demo/stories-calibration.txt', import.meta.url))

let engine: Engine
let scratch: string
let count = 0
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
  scratch = await mkdtemp(join(tmpdir(), 'awq-planned-'))
})
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})
const newOutput = () => join(scratch, `out ${count++}`)
const common = () => ({ engine, model, calibration: stories, samples: 8, length: 64, method: 'rtn' })

/** A copy of the model with other values in its tensors. */
const changedModel = async (change: (name: string, values: Float32Array) => void): Promise<string> => {
  const folder = newOutput()
  await cp(model, folder, { recursive: true })
  const file = join(folder, 'model.safetensors')
  const bytes = await readFile(file)
  await using checkpoint = await openCheckpoint(await openFolder(folder))
  for (const { name, offset, length } of checkpoint.tensors.values()) {
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + length))
    change(name, values)
    bytes.set(new Uint8Array(values.buffer), offset)
  }
  await chmod(file, 0o644)
  await writeFile(file, bytes)
  return folder
}

const plan = (options: Partial<Parameters<typeof planModel>[0]>): Promise<PlannedModel> =>
  planModel({ ...common(), ...options })

/** In how many ways a plan stores linears. */
const ways = (planned: PlannedModel): number =>
  new Set(Object.values(planned.plan.linears).map((spec) => JSON.stringify(spec))).size

describe('a plan for a target size', () => {
  test('is met by the store, to the byte that was planned', async () => {
    const output = newOutput()
    const events: ProgressEvent[] = []
    const onProgress = (event: ProgressEvent) => events.push(event)
    const { planned } = await quantize({ ...common(), method: 'awq', output, targetBpw: 4.5, onProgress })
    const { bytes, parameters, manifest } = await inspect(output)
    expect(bytes).toBe(planned!.bytes)
    expect((bytes * 8) / parameters).toBeLessThanOrEqual(4.5)
    expect((bytes * 8) / parameters).toBeGreaterThan(4.4)
    expect(planned!.bitsPerWeight).toBe((bytes * 8) / parameters)
    const bits = new Set(Object.values(manifest!.matrices).map((matrix) => matrix.bits))
    expect(bits.size).toBeGreaterThan(1)
    const { plan: _, ...summary } = planned!
    expect(events).toContainEqual({ type: 'plan', ...summary })
    const counted = planned!.shares.reduce((sum, { matrices }) => sum + matrices, 0)
    expect(counted).toBe(36)
  })

  test('loses less the larger it is', async () => {
    const targets = [110_000, 160_000, 500_000].map((targetBytes) => ({ targetBytes }))
    await using source = await openSource(model, {})
    const planner = await openPlanner({
      model: source,
      engine,
      method: rtn(),
      options: {},
      calibration: common(),
      targets,
    })
    const plans: PlannedModel[] = []
    for (const target of targets) plans.push(await planner.plan(target))
    for (const [i, { bytes, expectedLoss }] of plans.entries()) {
      expect(bytes).toBeLessThanOrEqual(targets[i]!.targetBytes)
      if (i > 0) expect(expectedLoss).toBeLessThan(plans[i - 1]!.expectedLoss)
    }
    // With room for everything nothing is rounded that need not be.
    expect(plans[2]!.plan.embedding).toBe(null)
  })

  test('is the best of several measured as a whole, also where that of the least sum is another', async () => {
    // Rounds to nearest, but spoils a block whose linears differ in bits: no measurement of one alone can tell.
    const spoil: Pass = {
      name: 'spoil',
      async run(block) {
        if (new Set([...block.specs.values()].map(({ bits, groupSize }) => `${bits} ${groupSize}`)).size === 1) return
        for (const matrix of block.quantized.values()) matrix.scales.fill(0)
      },
    }
    const plain = rtn()
    const spoiling: Method = { ...plain, name: 'spoiling', passes: [...plain.passes, spoil] }
    const least = await plan({ targetBpw: 5.2 })
    expect(ways(least)).toBeGreaterThan(1)
    expect(least.measuredLoss).toBe(Math.min(...least.candidates.map(({ measuredLoss }) => measuredLoss)))
    const spoiled = await plan({ targetBpw: 5.2, method: spoiling })
    expect(ways(spoiled)).toBe(1)
    const [sum] = spoiled.candidates
    expect(sum).toMatchObject({ name: 'least sum', expectedLoss: least.candidates[0]!.expectedLoss })
    expect(sum!.measuredLoss).toBeGreaterThan(2 * spoiled.measuredLoss)
    expect(spoiled.expectedLoss).toBeGreaterThan(sum!.expectedLoss)
  })

  test('keeps what is asked for of groups and tables', async () => {
    const { plan: made } = await plan({ targetBpw: 5, groupSize: 32, symmetric: true, headBits: 8 })
    for (const spec of Object.values(made.linears)) expect(spec).toMatchObject({ groupSize: 32, symmetric: true })
    expect(made.head!.bits).toBe(8)
    expect(made.embedding).toEqual(made.head)
    const untied = await plan({ targetBpw: 6, headBits: 8, embeddingBits: 4 })
    expect([untied.plan.head!.bits, untied.plan.embedding!.bits]).toEqual([8, 4])
  })

  test('that is impossible is refused before anything is measured, with the least possible size', async () => {
    const started: string[] = []
    const onProgress = (event: ProgressEvent) => event.type === 'stage' && started.push(event.stage)
    await expect(plan({ targetBpw: 1, onProgress })).rejects.toThrow(
      /least possible size of this model is \d+ bytes \(\d\.\d+ bits per weight\)/,
    )
    expect(started).not.toContain('plan')
    await expect(plan({ targetBpw: 4, targetBytes: 5 })).rejects.toThrow(/either targetBpw or targetBytes/)
    await expect(plan({ targetBpw: Number.NaN })).rejects.toThrow(/must be positive/)
    await expect(plan({ targetBpw: 4, bits: 4 })).rejects.toThrow(/leave out bits$/)
  })

  test('gives no matrix fewer bits for free where the model was on a grid of 4 bits before', async () => {
    const folder = await changedModel((name, values) => {
      if (!name.includes('_proj')) return
      // Each group of 16 has both ends of the grid, so that groups of every size round to it without an error.
      for (let i = 0; i < values.length; i++) values[i] = i % 16 < 2 ? (i % 16) * 15 - 7 : ((i * 7919) % 16) - 7
      for (let i = 0; i < values.length; i++) values[i]! /= 64
    })
    const { plan: made } = await plan({ model: folder, targetBpw: 6 })
    expect(new Set(Object.values(made.linears).map(({ bits }) => bits))).toEqual(new Set([4]))
  })

  test('of a damaged model is refused, naming what is damaged', async () => {
    const broken = await changedModel((name, values) => {
      if (name.includes('embed_tokens')) values[5] = Number.POSITIVE_INFINITY
    })
    await expect(plan({ model: broken, targetBpw: 5, calibration: stories })).rejects.toThrow(/^model\.embed_tokens/)
    const overflowing = await changedModel((name, values) => {
      if (name === 'model.layers.4.post_attention_layernorm.weight') values.fill(1e25)
    })
    await expect(plan({ model: overflowing, targetBpw: 5 })).rejects.toThrow(/outputs of the model are not finite/)
  })

  test('goes on from what an interrupted planning has measured', async () => {
    const output = newOutput()
    const controller = new AbortController()
    const steps = { first: 0, second: 0 }
    const onProgress = (event: ProgressEvent) => {
      if (event.type !== 'progress' || event.stage !== 'plan') return
      steps[event.completed <= event.total / 2 ? 'first' : 'second']++
      if (event.completed === event.total - 1) controller.abort(new Error('stop here'))
    }
    const run = { ...common(), output, targetBpw: 4.2, onProgress }
    await expect(quantize({ ...run, signal: controller.signal })).rejects.toThrow('stop here')
    expect(steps).toEqual({ first: 5, second: 4 })
    const { planned } = await quantize({ ...run, resume: true })
    expect(steps).toEqual({ first: 5, second: 9 })
    expect(planned).toEqual(await plan({ targetBpw: 4.2 }))
  })

  test('is kept by an interrupted run, and not measured again', async () => {
    const digest = async (folder: string) =>
      Promise.all(
        (await readdir(folder)).sort().map(async (file) => {
          const bytes = await readFile(join(folder, file))
          return [file, createHash('sha256').update(bytes).digest('hex')]
        }),
      )
    const whole = newOutput()
    await quantize({ ...common(), output: whole, targetBpw: 4.2 })
    const output = newOutput()
    const controller = new AbortController()
    const stop = (event: ProgressEvent) =>
      event.type === 'layer' && event.layer === 1 && controller.abort(new Error('stop here'))
    const run = { ...common(), output, targetBpw: 4.2 }
    await expect(quantize({ ...run, signal: controller.signal, onProgress: stop })).rejects.toThrow('stop here')
    await expect(quantize({ ...run, targetBpw: 4.4, resume: true })).rejects.toThrow(/another target/)
    const stages: string[] = []
    const onProgress = (event: ProgressEvent) => event.type === 'stage' && stages.push(event.stage)
    expect((await quantize({ ...run, resume: true, onProgress })).resumedLayers).toBe(2)
    expect(stages).not.toContain('plan')
    expect(await digest(output)).toEqual(await digest(whole))
  })
})
