import { expect, test } from 'vitest'
import { checkOuterSteps } from './check-steps.ts'
import { describeBlock } from './describe-block.ts'
import { inputBinding } from './float-weights.ts'
import { emitForwardBlock } from './forward.ts'
import { addToHidden, attend, gatedMlp, linear, rmsNorm, separateAttention } from './parts.ts'
import type { PositionsStep, Step } from './steps.ts'

const config = {
  ...{ modelType: 'tiny', hiddenSize: 32, embeddingSize: 32, intermediateSize: 48, layers: 1, heads: 4, kvHeads: 2 },
  ...{ headDim: 8, vocabSize: 50, contextLength: 64, tiedEmbeddings: true },
}
const norm = (weight: string, to: string) => rmsNorm(weight, 32, 1e-5, 'hidden', to)
const attention = (from: string): Step[] => [
  ...separateAttention(config, { from, rope: null }),
  addToHidden('attentionOutput'),
]
const mlp = (from: string): Step[] => [...gatedMlp(config, { from, activation: 'silu' }), addToHidden('mlpOutput')]
const positions: PositionsStep = {
  ...{ step: 'positions', table: 'positions.weight', rows: 64, width: 32, offset: 0, from: 'hidden', to: 'hidden' },
}
const describe = (...steps: readonly Step[]) => describeBlock(config, { steps, scaleGroups: [] }, 'key')

test('two norms that make one name, which linears read behind each, are refused', () => {
  const block = (second: string) => [
    norm('first', 'normed'),
    ...attention('normed'),
    norm('second', second),
    ...mlp(second),
  ]
  expect(() => describe(...block('normed'))).toThrow(
    /tiny: the value normed is made anew between self_attn.v_proj and mlp.gate_proj.*give it another name/,
  )
  expect(describe(...block('normed again')).linears).toHaveLength(7)
})

test('linears that read the residual stream before and after a sum are refused', () => {
  expect(() => describe(...attention('hidden'), ...mlp('hidden'))).toThrow(/the value hidden is made anew/)
})

test('a name may be made anew where no linear reads it twice', () => {
  expect(describe(positions, norm('first', 'normed'), ...attention('normed')).linears).toHaveLength(4)
})

test('a block has one attention step', () => {
  const more = attend(config, { rope: null, to: 'attended again' })
  expect(() => describe(norm('first', 'normed'), ...attention('normed'), more)).toThrow(
    /has 2 attention steps, not one/,
  )
  expect(() => describe(norm('first', 'normed'), ...mlp('normed'))).toThrow(/has no attention steps/)
})

test('positions within a block are looked up from where its tokens stand', () => {
  const block = describe(positions, norm('first', 'normed'), ...attention('normed'))
  expect(block.sequence.learned).toBe(true)
  expect(emitForwardBlock(block, inputBinding()).inputs.map(({ name }) => name)).toContain('start')
})

test('positions behind attention, where rows that nobody wants are gone, are refused', () => {
  expect(() => describe(norm('first', 'normed'), ...attention('normed'), positions)).toThrow(/behind attention/)
})

test('around the blocks there is no attention, and positions in front only', () => {
  const attends = attend(config, { rope: null })
  expect(() => checkOuterSteps('tiny', [attends], ['positions'])).toThrow(
    /tiny: attention of query, key, value must be/,
  )
  expect(() => checkOuterSteps('tiny', [positions])).toThrow(/tiny: positions of hidden must be in a block/)
  expect(() => checkOuterSteps('tiny', [positions], ['positions'])).not.toThrow()
  const twice = [linear('a', [32, 32], 'hidden', 'hidden'), linear('b', [32, 32], 'hidden', 'hidden')]
  expect(() => checkOuterSteps('tiny', twice)).toThrow(/hidden is made anew between a and b/)
})
