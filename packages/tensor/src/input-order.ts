/**
 * Matrices whose columns belong to inputs in another order than the model's.
 * @module
 */

/** What is wrong with an order of `width` inputs, which must name each once; else null. */
export function inputOrderProblem(order: Int32Array, width: number): string | null {
  if (order.length !== width) return `an order of ${order.length} inputs for ${width} columns`
  const seen = new Uint8Array(width)
  for (let column = 0; column < width; column++) {
    const input = order[column]!
    if (input < 0 || input >= width)
      return `column ${column} is of input ${input}, which is outside the ${width} inputs`
    if (seen[input] === 1) return `input ${input} has two columns`
    seen[input] = 1
  }
  return null
}
