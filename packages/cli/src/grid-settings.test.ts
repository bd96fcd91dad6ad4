import { expect, test } from 'vitest'
import { gridSettings } from './grid-settings.ts'

const none = {
  bits: undefined,
  groupSize: undefined,
  headBits: undefined,
  embeddingBits: undefined,
  targetBpw: undefined,
  targetBytes: undefined,
}

test('without a target everything has a default', () => {
  expect(gridSettings('awq-gptq', none)).toEqual({ bits: 4, groupSize: 128, headBits: 8, embeddingBits: 8 })
})

test('with a target only what was asked for is settled', () => {
  expect(gridSettings('awq', { ...none, targetBpw: 3.5, groupSize: 64 })).toEqual({ targetBpw: 3.5, groupSize: 64 })
})

test('options that contradict each other are refused by their names', () => {
  expect(() => gridSettings('awq', { ...none, targetBpw: 3.5, targetBytes: 1e6 })).toThrow(
    /--target-bpw and --target-bytes/,
  )
  expect(() => gridSettings('awq', { ...none, targetBytes: 1e6, bits: 4 })).toThrow(
    /--target-bytes chooses .* leave out --bits/,
  )
})
