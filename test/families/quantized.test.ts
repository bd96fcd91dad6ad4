/**
 * Every family quantizes: scales fold without changing the float function, 8 bits stay near it, 4 bits write text.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FoldedGroup, type Method, type ProgressEvent, quantize, rtnPass, scalePass } from '@awq/core'
import { describeModel } from '@awq/models'
import { createEngine } from '@awq/ort'
import { loadModel, modelLogits } from '@awq/runtime'
import type { ScaleStrategy } from '@awq/search'
import { openFolder } from '@awq/tensor/node'
import { afterAll, describe, expect, test } from 'vitest'
import { runMain } from '../../packages/cli/src/fixtures/fakes.ts'
import { nodeLibraries } from '../../packages/cli/src/node-libraries.ts'
import { scaledLogits } from '../../packages/core/src/fixtures/scaled-logits.ts'
import {
  committedCheckpoints,
  distance,
  divergence,
  type FamilyCheckpoint,
  goldenOf,
  medianDivergence,
  readyCheckpoints,
} from './checkpoints.ts'

const engine = await createEngine({ threads: 1 })
const scratch = await mkdtemp(join(tmpdir(), 'awq-families-'))
afterAll(async () => {
  await engine.dispose()
  await rm(scratch, { recursive: true, force: true })
})

/**
 * Nats per token that 8-bit weights of groups of 32, table and head included, may add to a committed checkpoint; and to one of
 * which nothing is known: rounding of them by torch, without any scales, costs up to 0.0063.
 */
const klOfEightBits = { committed: 5e-3, unseen: 1e-2 }

const text = ['a quick brown fox jumps over a lazy dog, and 12 more wait by the river. '.repeat(12)]
const textFile = join(scratch, 'text.txt')
await writeFile(textFile, text[0]!)
const calibration = { calibration: text, samples: 6, length: 24 }

/**
 * Scales that no search would choose: each row of the producer gets one between 1/most and most. Folding must undo them
 * exactly, whatever the activations are, so a reader that a group leaves out shows.
 */
const wildScales = (most: number): ScaleStrategy => {
  let state = 1
  const random = (): number => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
  return {
    name: 'wild',
    options: { most },
    async search({ width, producerRow }) {
      const byRow = new Map<number, number>()
      const scale = Float32Array.from({ length: width }, (_, column) => {
        const row = producerRow[column]!
        if (!byRow.has(row)) byRow.set(row, most ** (2 * random() - 1))
        return byRow.get(row)!
      })
      return { scale }
    },
  }
}
const wildPass = (most: number) => scalePass({ strategy: wildScales(most), identity: false })

const foldedLayers = () => {
  const groups: FoldedGroup[] = []
  const onProgress = (event: ProgressEvent) => {
    if (event.type === 'layer') groups.push(...event.groups)
  }
  return { groups, onProgress }
}

/** A command in this process; its last event. */
const awq = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { code, stderr, events } = await runMain([...args, '--threads', '1', '--json'], nodeLibraries)
  expect([code, stderr], args.join(' ')).toEqual([0, ''])
  return events().at(-1)!
}

const outputOf = (checkpoint: FamilyCheckpoint, what: string) => join(scratch, `${checkpoint.name} ${what}`)

describe.each(readyCheckpoints)('$name', (checkpoint) => {
  const sequences = goldenOf(checkpoint)
  const { ids, logits } = sequences.at(-1)!

  test('folding wild scales leaves the float logits', async () => {
    const folder = await openFolder(checkpoint.path)
    const { before, after } = await scaledLogits(engine, folder, outputOf(checkpoint, 'folded'), [wildPass(3)])
    const off = distance([after], [before])
    expect(off).toBeLessThan(1e-4)
    expect(off).toBeGreaterThan(0)
  })

  test('8 bits after wild scales stay near', async () => {
    const output = outputOf(checkpoint, '8 bits')
    const method: Method = { name: 'wild', passes: [wildPass(1.4), rtnPass()], statistics: true, propagate: 'float' }
    const { groups, onProgress } = foldedLayers()
    await quantize({
      ...calibration,
      engine,
      model: checkpoint.path,
      output,
      method,
      bits: 8,
      groupSize: 32,
      onProgress,
    })
    const folder = await openFolder(output)
    const actual = await modelLogits(folder, ids, { engine, all: true })
    const { blocks, config } = describeModel(checkpoint.config)
    const experts = blocks.some(({ steps }) => steps.some(({ step }) => step === 'experts'))
    expect((experts ? medianDivergence : divergence)(actual, logits)).toBeLessThan(
      klOfEightBits[committedCheckpoints.includes(checkpoint) ? 'committed' : 'unseen'],
    )
    expect(groups.length).toBeGreaterThan(0)
    expect(config.layers).toBe(new Set(groups.map(({ layer }) => layer)).size)
  })

  test('awq quantize in 4 bits and awq run write text', async () => {
    const output = outputOf(checkpoint, '4 bits')
    const few = ['--calibration', textFile, '--samples', '4', '--length', '24']
    await awq('quantize', checkpoint.path, '-o', output, '--bits', '4', '--group-size', '32', ...few)
    const prompt = ['--prompt', 'a quick', '--max-new-tokens', '5']
    const done = await awq('run', output, ...prompt, '--accuracy', 'exact')
    expect(done).toMatchObject({ type: 'done', promptTokens: 7 })
    // What is written is what a pass over the whole text finds most likely.
    await using model = await loadModel(await openFolder(output), { engine, accuracy: 'exact' })
    const start = model.encode({ prompt: 'a quick' })
    const { ids: written, text } = await model.generate({ ids: start }, { maxNewTokens: 5 }).result
    expect(done.text).toBe(text)
    const whole = await modelLogits(model.opened.folder, [...start, ...written], { engine, all: true })
    const best = whole.slice(start.length - 1, -1).map((row) => row.indexOf(Math.max(...row)))
    expect(written).toEqual(best)
    expect(written.length).toBeGreaterThan(0)
  })
})
