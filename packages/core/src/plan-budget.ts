/**
 * What a plan may choose from, what each choice weighs in the store, and how large the whole may become.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import type { QuantSpec, StoreEntry } from '@awq/quantize'
import { AwqError, byteLength, type Checkpoint } from '@awq/tensor'
import { blockEntries, denseEntry } from './layout.ts'
import { leastBytes, type StorageChoice } from './plan-assign.ts'
import type { QuantizationOptions } from './quantize.ts'
import { EIGHT_BITS, planTables, type TableBits, tableEntries, tableSpec } from './tables.ts'
import { type VisionBits, visionEntries, visionTensors, weightCount } from './vision-tensors.ts'

/** How large the result may be: one of the two. */
export interface PlanTarget {
  /** Bits of all stored tensors (codes, scales, zero points, norms, tables) over the number of parameters. */
  readonly targetBpw?: number | undefined
  /** Bytes of all stored tensors; file headers, tokenizer and configuration (a few MB at most) come on top. */
  readonly targetBytes?: number | undefined
}

/** Ways to store the linears of a site, and ways to store tables (null: 16 bits, as in the checkpoint). */
export interface PlanChoices {
  readonly linears: readonly QuantSpec[]
  readonly embedding: readonly (QuantSpec | null)[]
  /** `shared` where one table serves as embedding and head. */
  readonly head: readonly (QuantSpec | null)[] | 'shared'
}

/**
 * 2, 4 and 8 bits in groups of 32, 64 and 128, or of the one size that is asked for; tables in 4, 8 or 16 bits. Not
 * 3 bits: the store keeps them in 4, so that they never weigh less than 4 bits, which lose less.
 * @throws AwqError `INVALID_ARGUMENT` when bits are asked for, which a plan is to find
 */
export const planChoices = (description: ModelDescription, options: QuantizationOptions): PlanChoices => {
  const { symmetric = false, groupSize, embeddingBits, headBits } = options
  const decided = (['bits', 'plan'] as const).find((option) => options[option] !== undefined)
  if (decided)
    throw new AwqError('INVALID_ARGUMENT', `a target size decides the bits of every matrix: leave out ${decided}`)
  const groups = groupSize === undefined ? [32, 64, 128] : [groupSize]
  const linears = ([2, 4, 8] as const).flatMap((bits) => groups.map((size) => ({ bits, groupSize: size, symmetric })))
  const four = groups.map((size) => tableSpec(4, { groupSize: size, symmetric }))
  const all = [...four, { ...EIGHT_BITS, groupSize: 64 }, EIGHT_BITS, null]
  const tableOf = (bits: TableBits | undefined): (QuantSpec | null)[] =>
    bits === undefined ? all : bits === 4 ? four : [tableSpec(bits, { groupSize: 64, symmetric })]
  const shared =
    description.config.tiedEmbeddings &&
    (embeddingBits === undefined || headBits === undefined || embeddingBits === headBits)
  if (shared) return { linears, embedding: tableOf(embeddingBits ?? headBits), head: 'shared' }
  return { linears, embedding: tableOf(embeddingBits), head: tableOf(headBits) }
}

/** The bytes of every choice. */
export interface PlanWeights {
  /** For each layer by site, in the order of `choices.linears`. */
  readonly sites: readonly ReadonlyMap<string, readonly number[]>[]
  readonly embedding: readonly number[]
  /** Empty where the table is shared. */
  readonly head: readonly number[]
  /** Norms and biases of all blocks and the final norm, vision tower and projector. */
  readonly fixed: number
  /** Weights of the model, of whatever form. */
  readonly parameters: number
}

const bytesOf = (entries: readonly StoreEntry[]): number =>
  entries.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, shape), 0)

/** What the choices for one block's sites weigh, and what else it holds. */
const blockWeights = (description: ModelDescription, choices: PlanChoices, layer: number, salient: number) => {
  const { linears } = description.blocks[layer]!
  const blocks = choices.linears.map((spec) =>
    blockEntries(description, new Map(linears.map(({ name }) => [name, spec])), layer, salient),
  )
  const sizes = blocks.map((entries) => {
    const bytes = new Map<string, number>()
    for (const entry of entries) {
      const parameter = entry.name.slice(0, entry.name.lastIndexOf('.'))
      bytes.set(parameter, (bytes.get(parameter) ?? 0) + bytesOf([entry]))
    }
    return bytes
  })
  const sizeOf = (at: number, linear: string) => sizes[at]!.get(description.parameter(layer, `${linear}.weight`)) ?? 0
  const sites = new Map<string, number[]>()
  for (const { name, unit } of linears)
    sites.set(
      unit,
      blocks.map((_, i) => (sites.get(unit)?.[i] ?? 0) + sizeOf(i, name)),
    )
  const quantized = linears.reduce((sum, { name }) => sum + sizeOf(0, name), 0)
  return { sites, fixed: bytesOf(blocks[0]!) - quantized }
}

/** What every choice weighs in the store, by its own layout. @param salient share of input channels that stay float */
export const planWeights = (
  checkpoint: Checkpoint,
  description: ModelDescription,
  choices: PlanChoices,
  salient = 0,
  visionBits?: VisionBits,
): PlanWeights => {
  const model = { checkpoint, description }
  const parts = description.blocks.map((_, layer) => blockWeights(description, choices, layer, salient))
  const tableAt = (embedding: QuantSpec | null, head: QuantSpec | null, place: number): number => {
    const table = planTables(checkpoint, description, { embedding, head })[place]
    return table ? bytesOf(tableEntries(table)) : 0
  }
  return {
    sites: parts.map(({ sites }) => sites),
    embedding: choices.embedding.map((spec) => tableAt(spec, spec, 0)),
    // Beside an embedding of other bits, so that it is stored of its own also when the two are tied.
    head: choices.head === 'shared' ? [] : choices.head.map((spec) => tableAt(spec ? null : EIGHT_BITS, spec, 1)),
    fixed:
      parts.reduce((sum, { fixed }) => sum + fixed, 0) +
      bytesOf(description.outer.dense.map(({ name, shape }) => denseEntry(name, 'F32', shape))) +
      bytesOf(visionEntries(visionTensors(model, visionBits))),
    parameters: weightCount(model),
  }
}

/** The losses of every choice, in the order of the choices. */
export interface PlanLosses {
  readonly sites: readonly { readonly layer: number; readonly site: string; readonly losses: readonly number[] }[]
  readonly embedding: readonly number[]
  readonly head: readonly number[]
}

/** The units of the assignment: all sites, then the embedding, then the head unless it is shared. */
export const planUnits = (choices: PlanChoices, weights: PlanWeights, losses: PlanLosses): StorageChoice[][] => {
  const unit = (bytes: readonly number[], of: readonly number[]) =>
    bytes.map((size, i): StorageChoice => ({ bytes: size, loss: of[i]! }))
  const shared = losses.embedding.map((loss, i) => loss + losses.head[i]!)
  return [
    ...losses.sites.map(({ layer, site, losses: ofSite }) => unit(weights.sites[layer]!.get(site)!, ofSite)),
    unit(weights.embedding, choices.head === 'shared' ? shared : losses.embedding),
    ...(choices.head === 'shared' ? [] : [unit(weights.head, losses.head)]),
  ]
}

/**
 * The bytes that a target allows.
 * @throws AwqError `INVALID_ARGUMENT` for no target, two of them, or less than the least possible, which it names
 */
export const budgetOf = (
  choices: PlanChoices,
  weights: PlanWeights,
  { targetBpw, targetBytes }: PlanTarget,
): number => {
  const fail = (problem: string): never => {
    throw new AwqError('INVALID_ARGUMENT', problem)
  }
  if ((targetBpw === undefined) === (targetBytes === undefined)) fail('give either targetBpw or targetBytes')
  const target = (targetBpw ?? targetBytes)!
  if (!(target > 0 && Number.isFinite(target))) fail(`the target size must be positive, not ${target}`)
  const { parameters } = weights
  const budget = Math.floor(targetBytes ?? (target * parameters) / 8)
  const none = Array.from({ length: 16 }, () => 0)
  const sites = weights.sites.flatMap((ofLayer, layer) =>
    [...ofLayer.keys()].map((site) => ({ layer, site, losses: none })),
  )
  const least = weights.fixed + leastBytes(planUnits(choices, weights, { sites, embedding: none, head: none }))
  const inBits = (bytes: number) => `${bytes} bytes (${((bytes * 8) / parameters).toFixed(3)} bits per weight)`
  if (budget < least) {
    const sizes = choices.linears.map(({ groupSize }) => groupSize)
    const groups = sizes.includes(-1) ? '' : `, in groups of ${Math.max(...sizes)}: larger ones weigh less`
    fail(
      `the target of ${inBits(budget)} can not be met: the least possible size of this model is ${inBits(least)} ` +
        `(linears at 2 bits${groups}); ask for more`,
    )
  }
  return budget
}
