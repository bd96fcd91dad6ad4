/**
 * What a quantization may take of memory.
 * @module
 */
import { type BlockDescription, type LinearSpec, linearsBySite, type ModelDescription } from '@awq/models'

/** Bytes of a quantization's memory: measured, and what it is meant to stay within. */
export interface MemoryUse extends MemoryBound {
  /** The most memory the process has used, for whatever; not there on pages, which are not told. */
  readonly peakRssBytes?: number
  /** The heap of WebAssembly, which only grows: the most that the engine has used. There where that engine is. */
  readonly heapBytes?: number
}

/** The bound, and the parts that it is the sum of. */
export interface MemoryBound {
  readonly boundBytes: number
  /** JavaScript, the engine and its scratch, the tokenizer: 250 MiB. */
  readonly baseBytes: number
  /** The parameters of one block in float32. */
  readonly blockBytes: number
  /** Six times the largest set of linears that read the same input, or once all that share a scale (experts), float32. */
  readonly stackedBytes: number
  /** The Gram matrices of one block, float32; 0 without calibration. */
  readonly gramBytes: number
  /** The calibration tokens' residual streams before and after a block, float32; 0 without calibration. */
  readonly activationBytes: number
  /** Tower and projector in float32, twice: gone when the blocks begin, it is what they exceed a block's parts by; 0 without images. */
  readonly visionBytes: number
  /** What a pass that compares the quantized model with the float one holds of its `inputTokens`; 0 for other methods. */
  readonly driftBytes: number
  /** What the residual streams of a plan's measurement, which are gone when the blocks begin, hold beyond those after them. */
  readonly planBytes: number
}

const FLOAT = 4
const BASE = 250 * 2 ** 20
const STACKS = 6

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)

/** Tokens of the passes that read block inputs, and whether these want the quantized model's too. */
export interface KeptTokens {
  readonly inputTokens: number
  readonly quantizedInputs: boolean
}

/**
 * What a quantization is meant to stay within: 250 MiB + the largest float block + 6 times the largest stack of linears that read
 * the same input (once all experts of a mixture, where that is more) + the most that a block's Gram matrices take + 2 * tokens * hidden * 4 bytes (tokens: samples * length where no images are). It does not depend on the number
 * of blocks. Where passes keep tokens (`Pass.inputTokens`), these count with their residual stream; compared with those of
 * the quantized model, with both streams at the beginning of a block, both where the comparison stands, and the widest
 * value between.
 * @param planStreamBytes the streams that a plan was measured on, if one was
 * @param tokens how many, and whether some are of images; null for methods that read no calibration text
 */
export const memoryBound = (
  { config, blocks, vision }: Pick<ModelDescription, 'config' | 'blocks' | 'vision'>,
  tokens: { readonly count: number; readonly images?: boolean } | null,
  kept: KeptTokens = { inputTokens: 0, quantizedInputs: false },
  planStreamBytes = 0,
): MemoryBound => {
  const { hiddenSize } = config
  const keptTokens = tokens ? Math.min(kept.inputTokens, tokens.count) : 0
  const most = (of: (block: BlockDescription) => number) => Math.max(0, ...[...new Set(blocks)].map(of))
  const siteStack = ({ linears }: BlockDescription) => Math.max(0, ...[...linearsBySite(linears).values()].map(stackOf))
  const groupStack = ({ linears, scaleGroups }: BlockDescription) => {
    const sizes = new Map(linears.map(({ name, shape }) => [name, elements(shape)]))
    return Math.max(
      0,
      ...scaleGroups.map(({ consumers }) => consumers.reduce((sum, name) => sum + sizes.get(name)!, 0)),
    )
  }
  const stackOf = (linears: readonly LinearSpec[]) => linears.reduce((sum, { shape }) => sum + elements(shape), 0)
  const widest = Math.max(hiddenSize, ...[...new Set(blocks)].flatMap(({ sites }) => sites.map(({ width }) => width)))
  const activationBytes = tokens ? 2 * FLOAT * tokens.count * hiddenSize : 0
  const ofBlock = {
    blockBytes: FLOAT * most(({ parameters }) => parameters.reduce((sum, { shape }) => sum + elements(shape), 0)),
    stackedBytes: FLOAT * most((block) => Math.max(STACKS * siteStack(block), groupStack(block))),
    gramBytes: tokens ? FLOAT * most(({ sites }) => sites.reduce((sum, { width }) => sum + width ** 2, 0)) : 0,
  }
  const seeing = tokens?.images ? (vision?.parameters ?? []) : []
  const tower = 2 * FLOAT * seeing.reduce((sum, { shape }) => sum + elements(shape), 0)
  const parts = {
    baseBytes: BASE,
    ...ofBlock,
    activationBytes,
    visionBytes: Math.max(0, tower - Object.values(ofBlock).reduce((sum, bytes) => sum + bytes, 0)),
    driftBytes: FLOAT * keptTokens * (kept.quantizedInputs ? 4 * hiddenSize + widest : hiddenSize),
    planBytes: Math.max(0, planStreamBytes - activationBytes),
  }
  return { boundBytes: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0), ...parts }
}
