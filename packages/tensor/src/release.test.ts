import { expect, test } from 'vitest'
import { releaseArrays } from './release.ts'

test('frees whole buffers, twice without harm, and leaves those that are shared', () => {
  const whole = new Float32Array(8).fill(1)
  const shared = new Float32Array(8).fill(2)
  releaseArrays([whole, shared.subarray(0, 4), new Uint8Array(0)])
  releaseArrays([whole])
  expect(whole.length).toBe('transfer' in ArrayBuffer.prototype ? 0 : 8)
  expect(shared).toEqual(new Float32Array(8).fill(2))
})
