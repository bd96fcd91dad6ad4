import { AwqError } from '@awq/tensor'
import { checkTensor, describeTensor } from './tensor.ts'
import type { DeviceTensor, Feeds, Targets, Tensor } from './types.ts'

/** What a graph says about one of its inputs or outputs; a string is a symbolic dimension. */
export interface ValueInfo {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly (number | string)[]
}

/** Whether a feed is held by an engine. */
export const isDeviceTensor = (value: Tensor | DeviceTensor): value is DeviceTensor => 'location' in value

const list = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '))

/** A declared dimension that nobody named: onnxruntime-web 1.30 reads its -1 as an unsigned number. */
const isOpen = (dim: number | string): boolean => typeof dim === 'string' || dim < 0 || dim >= 2 ** 31

/** Whether a concrete shape fits a declared one: same rank, equal wherever the declared dimension is a number. */
const fits = (shape: readonly number[], declared: readonly (number | string)[]): boolean =>
  shape.length === declared.length && declared.every((dim, axis) => isOpen(dim) || dim === shape[axis])

/**
 * Checks the feeds of a run against the graph's inputs: no missing and no unknown name, the dtype, the rank and fixed
 * dimensions, and whole tensors. Throws `INVALID_ARGUMENT` and names the input.
 */
export function checkFeeds(inputs: readonly ValueInfo[], feeds: Feeds): void {
  const names = inputs.map((input) => input.name)
  const missing = names.filter((name) => !Object.hasOwn(feeds, name))
  if (missing.length > 0) {
    throw new AwqError('INVALID_ARGUMENT', `the graph's input ${list(missing)} was not given (it has ${list(names)})`)
  }
  const unknown = Object.keys(feeds).filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    throw new AwqError('INVALID_ARGUMENT', `the graph has no input ${list(unknown)} (it has ${list(names)})`)
  }
  for (const input of inputs) {
    const value = feeds[input.name]!
    if (!isDeviceTensor(value)) checkTensor(value, `input ${input.name}`)
    if (value.dtype !== input.dtype || !fits(value.shape, input.shape)) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `input ${input.name}: the graph wants ${describeTensor(input)}, got ${describeTensor(value)}`,
      )
    }
  }
}

/**
 * The outputs that a run has to compute: `fetch` or all, which must contain every name of `into`.
 * Throws `INVALID_ARGUMENT` for an unknown output, or an `into` that does not fit its declaration.
 */
export function checkOutputs(
  outputs: readonly ValueInfo[],
  fetch: readonly string[] | undefined,
  into: Targets,
): string[] {
  const names = outputs.map((output) => output.name)
  const wanted = fetch === undefined ? names : [...new Set(fetch)]
  for (const name of wanted) {
    if (!names.includes(name)) {
      throw new AwqError('INVALID_ARGUMENT', `the graph has no output ${name} (it has ${list(names)})`)
    }
  }
  for (const [name, target] of Object.entries(into)) {
    const output = outputs.find((candidate) => candidate.name === name)
    if (!output || !wanted.includes(name)) {
      throw new AwqError('INVALID_ARGUMENT', `into: ${name} is not among the outputs of this run (${list(wanted)})`)
    }
    if (!isDeviceTensor(target)) checkTensor(target, `into ${name}`)
    if (target.dtype !== output.dtype || !fits(target.shape, output.shape)) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `into ${name}: the graph makes ${describeTensor(output)}, got room for ${describeTensor(target)}`,
      )
    }
  }
  return wanted
}
