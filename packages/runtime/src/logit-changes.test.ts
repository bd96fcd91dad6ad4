import { describe, expect, it } from 'vitest'
import { createLogitChanges } from './logit-changes.ts'
import { samplingSettings } from './sampling-options.ts'

const changed = (options: Parameters<typeof samplingSettings>[0], prompt: number[], output: number[], x: number[]) => {
  const changes = createLogitChanges(samplingSettings(options))
  changes?.see(prompt)
  for (const id of output) changes?.take(id)
  const logits = Float32Array.from(x)
  const result = changes ? changes.during(logits, () => [...logits]) : x
  expect([...logits]).toEqual(x)
  return result
}

describe('createLogitChanges', () => {
  it('is nothing where nothing is asked for', () => {
    expect(createLogitChanges(samplingSettings({ presencePenalty: 0, logitBias: {} }))).toBeUndefined()
  })

  it('subtracts the frequency penalty for every time and the presence penalty once, for the output alone', () => {
    const options = { frequencyPenalty: 0.5, presencePenalty: 0.25 }
    expect(changed(options, [0, 0, 1], [1, 1, 1, 2, 99], [4, 4, -4, 4])).toEqual([4, 2.25, -4.75, 4])
    expect(changed({ frequencyPenalty: -2 }, [], [0], [1, 1])).toEqual([3, 1])
  })

  it('adds biases, to tokens that were not seen too, and ignores ids outside the vocabulary', () => {
    expect(changed({ logitBias: { 1: -100, 2: 0.5, 7: 3 } }, [], [], [1, 2, 3])).toEqual([1, -98, 3.5])
  })

  it('divides and multiplies first, then subtracts and adds', () => {
    const options = { repetitionPenalty: 2, presencePenalty: 1, logitBias: { 0: 0.5, 1: 0.5 } }
    expect(changed(options, [0], [1], [4, -4, 4])).toEqual([2.5, -8.5, 4])
  })

  it('gives the logits back after a failure', () => {
    const changes = createLogitChanges(samplingSettings({ logitBias: { 0: 1 } }))!
    const logits = Float32Array.of(1)
    expect(() =>
      changes.during(logits, () => {
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(logits[0]).toBe(1)
  })
})

describe('samplingSettings', () => {
  it.each([
    ['a penalty of 3', { presencePenalty: 3 }, /presencePenalty/],
    ['a penalty that is no number', { frequencyPenalty: Number.NaN }, /frequencyPenalty/],
    ['a bias of 101', { logitBias: { 1: 101 } }, /token 1 is 101/],
    ['a bias of NaN', { logitBias: { 1: Number.NaN } }, /logitBias/],
    ['a bias of a word', { logitBias: { cat: 1 } as never }, /"cat" is no token id/],
    ['a list of biases', { logitBias: [1] as never }, /logitBias/],
  ])('refuses %s', (_, options, message) => {
    expect(() => samplingSettings(options)).toThrow(message)
  })
})
