import { defined } from './defined.ts'
import type { Bits, Method, TableBits } from './libraries.ts'
import { defaultBits, gridOptions, optional } from './options.ts'
import { UsageError } from './parse.ts'
import { byteSize, groupSize, number, oneOfNumbers } from './values.ts'

const tableBits = oneOfNumbers([4, 8, 16])

/** How matrices are stored: all alike, or by a plan for a target size, which is free where nothing is asked for. */
export const plannedGridOptions = {
  ...gridOptions,
  groupSize: optional(
    'G',
    groupSize,
    'Weights per scale: 16, 32, 64, 128, 256, or -1 for one per output channel (default 128, or as planned)',
  ),
  headBits: optional('B', tableBits, 'Bits of the output head: 4, 8 or 16 (default 8, or as planned)'),
  embeddingBits: optional('B', tableBits, 'Bits of the token embedding: 4, 8 or 16 (default 8, or as planned)'),
  targetBpw: optional(
    'BITS',
    number(0.1, 32),
    'Bits per weight of the whole model, such as 3.5: gives each matrix its bits by how much they matter, as measured',
  ),
  targetBytes: optional('SIZE', byteSize, 'The same by the size of all tensors: 70MB, 70MiB, 1.5GB'),
}

/** The options of `quantize` for the values of {@link plannedGridOptions}. */
export const gridSettings = (
  method: Method,
  values: {
    readonly bits: Bits | undefined
    readonly groupSize: number | undefined
    readonly headBits: TableBits | undefined
    readonly embeddingBits: TableBits | undefined
    readonly targetBpw: number | undefined
    readonly targetBytes: number | undefined
  },
) => {
  const { bits, groupSize = 128, headBits = 8, embeddingBits = 8, targetBpw, targetBytes } = values
  const targets = [
    targetBpw === undefined ? [] : ['--target-bpw'],
    targetBytes === undefined ? [] : ['--target-bytes'],
  ].flat()
  if (targets.length > 1) throw new UsageError('--target-bpw and --target-bytes say the same size; give one of them')
  if (targets.length > 0 && bits !== undefined)
    throw new UsageError(`${targets[0]} chooses the bits of each matrix; leave out --bits`)
  return targets.length === 0
    ? { bits: bits ?? defaultBits(method), groupSize, headBits, embeddingBits }
    : defined({ ...values })
}
