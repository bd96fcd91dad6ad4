import { expect, test } from 'vitest'
import { gaussians, randomGram } from './fixtures/reference.ts'
import { upperCholesky, upperInverse } from './triangular.ts'

const size = 20
const gram = randomGram(gaussians(5), size)

test('the factor of a block reproduces it, and its inverse is one', () => {
  const factor = upperCholesky(gram, size, size) as Float64Array
  const inverse = upperInverse(factor, size)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let product = 0
      let identity = 0
      for (let k = 0; k < size; k++) {
        product += (factor[k * size + row] as number) * (factor[k * size + column] as number)
        identity += (factor[row * size + k] as number) * (inverse[k * size + column] as number)
      }
      expect(product).toBeCloseTo(gram[row * size + column] as number, 5)
      expect(identity).toBeCloseTo(row === column ? 1 : 0, 5)
      if (column < row) expect(factor[row * size + column]).toBe(0)
    }
  }
})

test('reads only the upper triangle of a block with a stride', () => {
  const stride = size + 7
  const wide = new Float32Array(size * stride).fill(Number.NaN)
  for (let row = 0; row < size; row++) {
    for (let column = row; column < size; column++) wide[row * stride + column] = gram[row * size + column] as number
  }
  expect(upperCholesky(wide, size, stride)).toEqual(upperCholesky(gram, size, size))
})

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('a pivot of %d is reported by its row', (value) => {
  const block = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, value)
  expect(upperCholesky(block, 3, 3)).toBe(2)
})
