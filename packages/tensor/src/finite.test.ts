import { expect, test } from 'vitest'
import { checkFinite } from './finite.ts'

test('finds NaN and both infinities, and says where they are', () => {
  const values = new Float32Array(12).fill(3e38)
  checkFinite('w', [3, 4], values)
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const damaged = values.with(6, bad)
    expect(() => checkFinite('w', [3, 4], damaged)).toThrow(`w: row 1, column 2 is ${bad}; the checkpoint is damaged`)
    expect(() => checkFinite('w', [12], damaged)).toThrow(`w: element 6 is ${bad}`)
  }
})
