/**
 * How much each matrix's bits matter, measured: the KL divergence at the model's end when this one is quantized alone.
 * One walk over the blocks reads every weight once: each site of a block, quantized by the method at the reference
 * bits, begins a residual stream of its own, and all streams go on through the float blocks that follow.
 * @module
 */
import { type ActivationStats, type ActivationStream, openBlockRunner, TOKENS_PER_RUN } from '@awq/calibration'
import { type BlockDescription, type BlockWeights, embedTokens, readBlockWeights } from '@awq/models'
import { type Engine, tensor } from '@awq/ort'
import { type QuantSpec, roundRtn } from '@awq/quantize'
import { AwqError, dequantize } from '@awq/tensor'
import { collectGarbage } from '#platform'
import type { BlockState } from './block-state.ts'
import { settleExperts } from './expert-stats.ts'
import type { Method } from './methods.ts'
import { type LinearSpecs, sameSpec } from './plan.ts'
import type { OnProgress } from './progress.ts'
import { blockState, copyWeights, runPasses } from './quantize-block.ts'
import { codedWeightOf } from './salient.ts'
import { divergences, rounded } from './sensitivity-head.ts'
import type { SourceModel } from './source-model.ts'

/** What is measured, and on what. */
export interface SensitivityOptions {
  readonly model: SourceModel
  readonly engine: Engine
  /** Quantizes the blocks as it will in earnest. */
  readonly method: Method
  /** Token sequences of one length: those that the method is calibrated on, and others that the divergence is taken on. */
  readonly calibration: readonly Int32Array[]
  readonly measured: readonly Int32Array[]
  /** Calibrate every expert on every token. */
  readonly allExperts?: boolean | undefined
  /** Ways to store a linear whose divergence is measured. */
  readonly references: readonly QuantSpec[]
  /** All ways to store a linear; those that are no reference follow from the reference of the nearest bits. */
  readonly candidates: readonly QuantSpec[]
  /** Ways to store a table; null is float. */
  readonly tables: readonly (QuantSpec | null)[]
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** The linears that read one value, and what each way to store them costs. */
export interface SiteSensitivity {
  readonly layer: number
  /** The value, or what all experts call theirs. */
  readonly site: string
  /** Base names. */
  readonly linears: readonly string[]
  /** KL divergence in nats per token for each candidate, with everything else float. */
  readonly losses: readonly number[]
}

/** What {@link measureSensitivities} found; losses of the tables in the order of `tables`. */
export interface Sensitivities {
  readonly sites: readonly SiteSensitivity[]
  readonly embedding: readonly number[]
  readonly head: readonly number[]
}

/** Positions whose predictions are compared, at most. */
const SCORED_ROWS = 256
/** Rows of a weight that the error of a way to store it is estimated on. */
const SAMPLED_ROWS = 96

/**
 * Measures all sites and tables.
 * @throws AwqError as the method's passes do; rejects with `signal.reason`
 */
export const measureSensitivities = async (options: SensitivityOptions): Promise<Sensitivities> => {
  const { model, engine, calibration, measured, references, tables, signal, onProgress } = options
  const { description, checkpoint } = model
  const { layers, hiddenSize } = description.config
  onProgress?.({ type: 'stage', stage: 'plan' })
  await using runner = openBlockRunner(engine)
  const length = measured[0]!.length
  const embed = async (sequences: readonly Int32Array[]): Promise<ActivationStream> => {
    const embedded: Float32Array[] = []
    for (const ids of sequences)
      embedded.push((await embedTokens(engine, checkpoint, description, ids, 1)).data as Float32Array)
    return stacked(embedded, length, hiddenSize)
  }
  const perStream = measured.length * length * hiddenSize
  let fit = options.method.statistics ? await embed(calibration) : []
  let float = await embed(measured)
  // The streams of the tables come first, those of the blocks follow in their order.
  const start = joined(float)
  const specs = tables.filter((spec) => spec !== null)
  let streams = stacked(
    specs.map((spec) => rounded(start, hiddenSize, spec, `${description.embedding} on the calibration text`)),
    length,
    hiddenSize,
  )
  const sites: (Omit<SiteSensitivity, 'losses'> & { readonly shares: readonly (readonly number[])[] })[] = []
  for (let layer = 0; layer < layers; layer++) {
    signal?.throwIfAborted()
    const weights = await readBlockWeights(checkpoint, description, layer, { signal })
    const name = description.blockName(layer)
    const structure = description.blocks[layer]!
    const run = async (parameters: BlockWeights, stream: ActivationStream) =>
      (await runner.run(structure, parameters, stream, { observe: false, signal, name })).outputs
    const observed = { observe: fit.length > 0, allExperts: options.allExperts, signal, name }
    const { outputs, stats: collected } = await runner.run(structure, weights, fit, observed)
    const { stats } = settleExperts(structure, collected)
    const begun: Float32Array[] = []
    const blocks: BlockState[] = []
    for (const spec of references) blocks.push(await quantizedAt(options, { layer, weights, stats, inputs: fit, spec }))
    for (const [site, linears] of unitsOf(structure)) {
      for (const block of blocks) begun.push(joined(await run(onlySite(block, linears), float)))
      sites.push({ layer, site, linears, shares: blocks.map((block) => errorShares(options, block, linears)) })
    }
    streams = [...(await run(weights, streams)), ...stacked(begun, length, hiddenSize)]
    float = await run(weights, float)
    fit = outputs
    collectGarbage()
    onProgress?.({ type: 'progress', stage: 'plan', completed: layer + 1, total: layers })
  }
  const stride = Math.max(1, Math.ceil((measured.length * length) / SCORED_ROWS))
  const found = await divergences({
    engine,
    description,
    checkpoint,
    reference: everyRow(joined(float), hiddenSize, stride),
    streams: separate(streams, perStream).map((stream) => everyRow(stream, hiddenSize, stride)),
    headSpecs: specs,
    signal,
  })
  const ofTables = (losses: readonly number[]) => tables.map((spec) => (spec ? losses[specs.indexOf(spec)]! : 0))
  const measuredAt = (site: number, reference: number) =>
    found.streams[specs.length + site * references.length + reference]!
  const all = [...found.streams, ...found.heads]
  const wrong = all.findIndex((loss) => !Number.isFinite(loss))
  if (wrong >= 0) {
    const at = sites[Math.floor((wrong - specs.length) / references.length)]
    const rounded = at ? `${description.blockName(at.layer)} with ${at.linears.join(', ')} rounded` : 'rounded tables'
    throw new AwqError(
      'NUMERIC',
      `no plan can be made: on the calibration text the outputs of ${all.some(Number.isFinite) ? rounded : 'the model'} ` +
        'are not finite; it overflows float32 or its weights are damaged; check the checkpoint',
    )
  }
  const coarser = coarserReference(options, sites)
  if (coarser) return measureSensitivities({ ...options, references: [coarser, ...references] })
  return {
    embedding: ofTables(found.streams),
    head: ofTables(found.heads),
    sites: sites.map(({ shares, ...site }, index) => ({
      ...site,
      losses: options.candidates.map((candidate, i) => {
        const telling = references.filter((_, reference) => shares[reference]!.every(isTelling))
        const nearest = references.indexOf(nearestReference(telling.length > 0 ? telling : references, candidate))
        const share = shares[nearest]![i]!
        return measuredAt(index, nearest) * (Number.isFinite(share) ? share : 0)
      }),
    })),
  }
}

/** The reference with the bits nearest to a candidate's, in octaves of the step; the candidate itself where it is one. */
const nearestReference = (references: readonly QuantSpec[], candidate: QuantSpec): QuantSpec => {
  const distance = (spec: QuantSpec) =>
    sameSpec(spec, candidate)
      ? -1
      : Math.abs(spec.bits - candidate.bits) + (spec.groupSize === candidate.groupSize ? 0 : 0.5)
  return references.reduce((best, spec) => (distance(spec) < distance(best) ? spec : best))
}

/**
 * Whether a candidate's error may be told from the reference's: errors of 2 and 4 bits are apart by a factor of about 25.
 * Weights that the reference's grid happens to hold, such as those of a model that was quantized before, have next to no
 * error there, and so no divergence that others could be in proportion to.
 */
const isTelling = (share: number): boolean => share < 1000

/** The reference to measure as well, where some site's errors at the references tell nothing: the fewest bits. */
const coarserReference = (
  { references, candidates }: SensitivityOptions,
  sites: readonly { readonly shares: readonly (readonly number[])[] }[],
): QuantSpec | undefined => {
  if (sites.every(({ shares }) => shares.some((ofReference) => ofReference.every(isTelling)))) return undefined
  const { groupSize } = references[0]!
  const fewest = candidates.filter((spec) => spec.groupSize === groupSize).sort((a, b) => a.bits - b.bits)[0]
  return fewest && !references.some((spec) => sameSpec(spec, fewest)) ? fewest : undefined
}

/** The base names of the linears that are stored alike. */
const unitsOf = ({ linears }: BlockDescription): Map<string, string[]> => {
  const units = new Map<string, string[]>()
  for (const { name, unit } of linears) units.set(unit, [...(units.get(unit) ?? []), name])
  return units
}

/** A block after the method's passes, with every linear at one spec. */
const quantizedAt = async (
  { model, engine, method, signal }: SensitivityOptions,
  at: Pick<BlockState, 'layer' | 'weights' | 'inputs'> & {
    readonly stats: ReadonlyMap<string, ActivationStats>
    readonly spec: QuantSpec
  },
): Promise<BlockState> => {
  const { description } = model
  const specs: LinearSpecs = new Map(description.blocks[at.layer]!.linears.map(({ name }) => [name, at.spec]))
  const { layer, stats, inputs } = at
  const block = blockState({
    ...{ layer, engine, description, weights: copyWeights(at.weights), stats, inputs, quantizedInputs: inputs, specs },
    ...{ time: (_, work) => work(), signal },
  })
  await runPasses(block, method.passes)
  return block
}

/** The block's weights with one site rounded; all others float, scales folded, which does not change what they compute. */
const onlySite = (block: BlockState, linears: readonly string[]): BlockWeights => {
  const weights = new Map(block.weights)
  for (const linear of linears) {
    const matrix = block.quantized.get(linear)
    if (!matrix)
      throw new AwqError('INVALID_ARGUMENT', `the method left ${linear} without codes: it needs a rounding pass`)
    weights.set(`${linear}.weight`, dequantize(matrix))
  }
  return weights
}

/**
 * For every candidate the error of rounding a site's weights to nearest, relative to that at the block's own spec
 * (infinite where that has none): the sum over some rows of (w' - w)^2 weighted by the Gram's diagonal (rounding errors of different columns are nearly
 * uncorrelated, so the diagonal says enough of a ratio).
 */
const errorShares = ({ candidates }: SensitivityOptions, block: BlockState, linears: readonly string[]): number[] => {
  const errorAt = (spec: QuantSpec): number => {
    let total = 0
    for (const name of linears) {
      const { shape, site } = block.linears.find((linear) => linear.name === name)!
      const [rows, width] = shape
      const stats = block.stats.get(site)
      const stride = Math.max(1, Math.floor(rows / SAMPLED_ROWS))
      const sample = everyRow(codedWeightOf(block, name), width, stride)
      const values = dequantize(roundRtn(sample, [sample.length / width, width], spec))
      for (let i = 0; i < sample.length; i++) {
        const column = i % width
        total += (values[i]! - sample[i]!) ** 2 * (stats ? stats.gram[column * width + column]! : 1)
      }
    }
    return total
  }
  const own = errorAt(block.specs.get(linears[0]!)!)
  return candidates.map((spec) => {
    const error = errorAt(spec)
    return error === 0 ? 0 : error / own
  })
}

/** Each `stride`-th row of a matrix. */
const everyRow = (values: Float32Array, width: number, stride: number): Float32Array => {
  const rows = Math.ceil(values.length / width / stride)
  const kept = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++)
    kept.set(values.subarray(row * stride * width, (row * stride + 1) * width), row * width)
  return kept
}

/** The values of a stream one after the other. */
const joined = (stream: ActivationStream): Float32Array => {
  if (stream.length === 1) return stream[0]!.data as Float32Array
  const values = new Float32Array(stream.reduce((sum, { data }) => sum + data.length, 0))
  let offset = 0
  for (const { data } of stream) {
    values.set(data as Float32Array, offset)
    offset += data.length
  }
  return values
}

/** Streams side by side in batches that keep the matrix products busy. */
const stacked = (streams: readonly Float32Array[], length: number, hiddenSize: number): ActivationStream => {
  const tokens = (streams[0]?.length ?? 0) / hiddenSize
  const perBatch = Math.max(1, Math.floor(TOKENS_PER_RUN / tokens))
  const batches: ActivationStream = []
  for (let first = 0; first < streams.length; first += perBatch) {
    const values = joined(streams.slice(first, first + perBatch).map((data) => tensor('float32', [data.length], data)))
    batches.push(tensor('float32', [values.length / hiddenSize / length, length, hiddenSize], values))
  }
  return batches
}

/** The inverse of `stacked`. */
const separate = (batches: ActivationStream, size: number): Float32Array[] =>
  batches.flatMap(({ data }) =>
    Array.from({ length: data.length / size }, (_, i) => (data as Float32Array).subarray(i * size, (i + 1) * size)),
  )
