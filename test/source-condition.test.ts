import { expect, test } from 'vitest'

test('packages resolve to their sources, not to their builds', () => {
  expect(import.meta.resolve('@awq/tensor')).toMatch(/packages\/tensor\/src\/index\.ts$/)
  expect(import.meta.resolve('@awq/tensor/node')).toMatch(/packages\/tensor\/src\/node\.ts$/)
})
