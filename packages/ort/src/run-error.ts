import { AwqError } from '@awq/tensor'
import { describeTensor } from './tensor.ts'
import type { Targets } from './types.ts'

/** ONNX Runtime's words (newer, older, and after a copy from a device) when an output has another shape than its room. */
const shapeFailures = [
  /OrtValue provided for output '.*' of node .* has shape \{(?<given>[\d,]*)\} but the computed output shape .* is \{(?<made>[\d,]*)\}/i,
  /shape verification failed\. Current shape:\{(?<given>[\d,]*)\} Requested shape:\{(?<made>[\d,]*)\}/i,
  /Tensor size mismatch\. src:\{(?<made>[\d,]*)\} dst:\{(?<given>[\d,]*)\}/i,
]

/**
 * A failed run as an error; an output that does not fit its target is the caller's mistake.
 * @param otherwise the error of any other failure
 */
export function runError(message: string, into: Targets, otherwise: () => AwqError): AwqError {
  const shapes = shapeFailures.map((words) => words.exec(message)?.groups).find((found) => found !== undefined)
  const candidates = shapes ? Object.entries(into).filter(([, target]) => target.shape.join(',') === shapes.given) : []
  if (!shapes || candidates.length === 0) {
    return otherwise()
  }
  const names = candidates.map(([name]) => name).join(' or ')
  const [, target] = candidates[0]!
  const made = { dtype: target.dtype, shape: shapes.made!.split(',').filter((dim) => dim !== '') }
  return new AwqError(
    'INVALID_ARGUMENT',
    `into ${names}: the output is ${describeTensor(made)}, got room for ${describeTensor(target)}`,
  )
}
