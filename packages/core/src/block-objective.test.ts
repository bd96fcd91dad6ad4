import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { blockFeeds, emitForwardBlock, forwardFeeds, inputBinding } from '@awq/models'
import { roundRtn } from '@awq/quantize'
import { scaleColumns } from '@awq/search'
import { dequantize } from '@awq/tensor'
import { expect, test } from 'vitest'
import { blockObjective } from './block-objective.ts'
import { type BlockState, type Pass, specOf, weightOf } from './block-state.ts'
import { rtn } from './methods.ts'
import { quantize } from './quantize.ts'

const model = fileURLToPath(new URL('../../../examples/models/stories260k', import.meta.url))
const calibration = fileURLToPath(new URL('../../../examples/demo/stories-calibration.txt', import.meta.url))

/** The block's outputs with some weights exchanged, on the inputs that were kept. */
const outputs = async (block: BlockState, changed: ReadonlyMap<string, Float32Array>): Promise<Float32Array[]> => {
  const { structure, engine } = block
  await using session = await engine.createSession(emitForwardBlock(structure, inputBinding()).toBytes())
  const feeds = blockFeeds(structure, new Map([...block.weights, ...changed]))
  const results: Float32Array[] = []
  for (const hidden of block.inputs!) {
    const run = await session.run({ ...feeds, ...forwardFeeds(structure)(hidden), hidden })
    results.push(run.hidden_out!.data as Float32Array)
  }
  return results
}

test('the loss is what rounding with a scale does to the output of attention, and of the MLP', async () => {
  const objective = blockObjective({ tokens: 100 })
  const seen: [string, number, number][] = []
  const pass: Pass = {
    name: 'look',
    inputTokens: objective.inputTokens,
    async run(block) {
      expect(block.inputs!.map(({ shape }) => shape)).toEqual([
        [1, 64, 64],
        [1, 64, 64],
      ])
      for (const group of block.layer === 2 ? block.scaleGroups : []) {
        const evaluate = await objective.open!(block, group)
        if (!evaluate) {
          expect(group.consumers).toHaveLength(1)
          continue
        }
        const width = group.producerRow.length
        const scale = Float32Array.from({ length: width }, (_, at) => 0.7 + (at % 9) / 10)
        const silent = 'mlp.down_proj.weight'
        // Without the MLP, a block's output is that of attention on top of what came in.
        const rest = group.consumers[0]!.startsWith('mlp')
          ? []
          : [[silent, block.weights.get(silent)!.map(() => 0)] as const]
        const rounded = group.consumers.map((name) => {
          const shape = block.linears.find((linear) => linear.name === name)!.shape
          const matrix = roundRtn(scaleColumns(weightOf(block, name), scale), shape, specOf(block, name))
          return [
            `${name}.weight`,
            scaleColumns(
              dequantize(matrix),
              scale.map((value) => 1 / value),
            ),
          ] as const
        })
        const [float, changed] = await Promise.all([
          outputs(block, new Map(rest)),
          outputs(block, new Map([...rest, ...rounded])),
        ])
        let sum = 0
        float.forEach((values, at) => {
          values.forEach((value, index) => {
            sum += (value - changed[at]![index]!) ** 2
          })
        })
        seen.push([group.consumers.join(), (await evaluate([scale]))[0]!, sum / 128])
      }
    },
  }
  const scratch = await mkdtemp(join(tmpdir(), 'awq-block-objective-'))
  const plain = rtn()
  const method = { ...plain, name: 'look', statistics: true, passes: [pass, ...plain.passes] }
  const settings = { model, calibration, samples: 8, length: 64, bits: 3, groupSize: 32 } as const
  await quantize({ ...settings, method, output: join(scratch, 'one') })
  expect(seen.map(([name]) => name)).toEqual([
    'self_attn.q_proj,self_attn.k_proj,self_attn.v_proj',
    'mlp.gate_proj,mlp.up_proj',
  ])
  for (const [, loss, expected] of seen) expect(Math.abs(loss / expected - 1)).toBeLessThan(1e-3)

  await quantize({ ...settings, method: 'awq', objective: 'block', output: join(scratch, 'two') })
  const manifest = JSON.parse(await readFile(join(scratch, 'two', 'quantization.json'), 'utf8'))
  for (const { loss, identityLoss } of manifest.folded) expect(loss).toBeLessThanOrEqual(identityLoss)
  await rm(scratch, { recursive: true })
}, 60_000)
