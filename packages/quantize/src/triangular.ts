/** Small dense triangular kernels in float64: the diagonal blocks of the blocked factorisation. */

/**
 * The upper factor U of a symmetric positive definite block, A = U^T U.
 *
 * @param block A, `size` rows of `stride` floats; only its upper triangle is read.
 * @returns U [size, size] row-major with zeros below the diagonal, or the row whose pivot is not positive.
 */
export function upperCholesky(block: Float32Array, size: number, stride: number): Float64Array | number {
  const factor = new Float64Array(size * size)
  for (let row = 0; row < size; row++) {
    for (let column = row; column < size; column++) {
      factor[row * size + column] = block[row * stride + column] as number
    }
    for (let above = 0; above < row; above++) {
      const weight = factor[above * size + row] as number
      for (let column = row; column < size; column++) {
        factor[row * size + column] =
          (factor[row * size + column] as number) - weight * (factor[above * size + column] as number)
      }
    }
    const pivot = factor[row * size + row] as number
    // Written so that NaN is refused too.
    if (!(pivot > 0) || pivot === Number.POSITIVE_INFINITY) return row
    const inverse = 1 / Math.sqrt(pivot)
    for (let column = row; column < size; column++) {
      factor[row * size + column] = (factor[row * size + column] as number) * inverse
    }
  }
  return factor
}

/** The inverse of an upper triangular matrix [size, size], row-major, as float32: also upper triangular. */
export function upperInverse(factor: Float64Array, size: number): Float32Array {
  const inverse = new Float64Array(size * size)
  for (let row = size - 1; row >= 0; row--) {
    const scale = 1 / (factor[row * size + row] as number)
    for (let below = row + 1; below < size; below++) {
      const weight = (factor[row * size + below] as number) * scale
      for (let column = below; column < size; column++) {
        inverse[row * size + column] =
          (inverse[row * size + column] as number) - weight * (inverse[below * size + column] as number)
      }
    }
    inverse[row * size + row] = scale
  }
  return Float32Array.from(inverse)
}
