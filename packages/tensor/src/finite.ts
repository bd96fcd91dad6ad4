import { AwqError } from './error.ts'

/** The error for a value that is NaN or infinite, by its index in a tensor of that shape. */
export const notFinite = (name: string, shape: readonly number[], at: number, value: number): AwqError => {
  const columns = shape.at(-1) ?? 1
  const place = shape.length > 1 ? `row ${Math.floor(at / columns)}, column ${at % columns}` : `element ${at}`
  return new AwqError('NUMERIC', `${name}: ${place} is ${value}; the checkpoint is damaged, or overflowed its type`)
}

/** @throws AwqError `NUMERIC` naming the tensor and the place of a value that is NaN or infinite */
export const checkFinite = (name: string, shape: readonly number[], values: Float32Array): void => {
  // x - x is 0 for every finite x and NaN for NaN and both infinities: one sum finds them all without a branch.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!
  if (sum === 0) return
  const at = values.findIndex((value) => !Number.isFinite(value))
  throw notFinite(name, shape, at, values[at]!)
}
