import type { ProgressEvent } from '@awq/core'
import { expect, test } from 'vitest'
import { noEvents, withEvent } from './run-state.ts'

const group = (loss: number, identityLoss: number) => ({
  layer: 0,
  producer: 'norm',
  consumers: ['q'],
  loss,
  identityLoss,
})
const after = (...events: ProgressEvent[]) => events.reduce(withEvent, noEvents)

test('stages come in their order, with what is counted of them', () => {
  const { stages } = after(
    { type: 'stage', stage: 'tokenize' },
    { type: 'stage', stage: 'tables' },
    { type: 'progress', stage: 'tables', completed: 1, total: 4 },
  )
  expect(stages).toEqual([{ stage: 'tokenize' }, { stage: 'tables', share: 0.25, note: '1 of 4' }])
})

test('a block adds the losses of its groups, and the time that is left', () => {
  const groups = [group(1, 4), group(2, 6), { layer: 0, producer: 'up', consumers: ['down'] }]
  const state = after(
    { type: 'stage', stage: 'blocks' },
    { type: 'layer', layer: 1, layers: 4, groups, seconds: 2, etaSeconds: 4 },
  )
  expect(state).toMatchObject({ layers: 4, etaSeconds: 4, losses: [{ layer: 1, plain: 10, scaled: 3 }] })
  expect(state.stages).toEqual([{ stage: 'blocks', share: 0.5, note: '2 of 4' }])
  const next = withEvent(state, { type: 'progress', stage: 'blocks', completed: 1, total: 9, message: 'layer 3 of 4' })
  expect(next.stages).toEqual([{ stage: 'blocks', share: 0.5, note: 'layer 3 of 4' }])
})
