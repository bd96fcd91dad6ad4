/**
 * How much each matrix's bits matter, measured: the KL divergence at the model's end when this one is quantized alone.
 * One walk over the blocks reads every weight once: each site of a block, quantized by the method at the reference
 * bits, begins a residual stream of its own, and all streams go on through the float blocks that follow.
 * @module
 */
import { type ActivationStream, openBlockRunner } from '@awq/calibration'
import { type BlockDescription, type BlockWeights, readBlockWeights } from '@awq/models'
import type { Engine } from '@awq/ort'
import { type QuantSpec, roundRtn } from '@awq/quantize'
import { AwqError, dequantize } from '@awq/tensor'
import { collectGarbage } from '#platform'
import type { BlockState } from './block-state.ts'
import type { ImageRows } from './calibration-text.ts'
import { settleExperts } from './expert-stats.ts'
import type { Method } from './methods.ts'
import { type LinearSpecs, sameSpec } from './plan.ts'
import { quantizedBlock } from './quantize-block.ts'
import { codedWeightOf } from './salient.ts'
import { divergences, rounded } from './sensitivity-head.ts'
import type { SourceModel } from './source-model.ts'
import {
  type CalibrationSequence,
  concatenated,
  embedded,
  everyRow,
  joined,
  rowsAt,
  scoredPlaces,
  separate,
  stackedLike,
  valuesIn,
} from './streams.ts'

/** What plans are measured with, and on what. */
export interface MeasuringOptions {
  readonly model: SourceModel
  readonly engine: Engine
  /** Quantizes the blocks as it will in earnest. */
  readonly method: Method
  /** Sequences that the method is calibrated on, and others that the divergence is taken on. */
  readonly calibration: readonly CalibrationSequence[]
  readonly measured: readonly CalibrationSequence[]
  /** Of their images. */
  readonly rows?: ImageRows | undefined
  /** Calibrate every expert on every token. */
  readonly allExperts?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called after each block. */
  readonly onLayer?: ((done: number) => void) | undefined
}

/** What is measured. */
export interface SensitivityOptions extends MeasuringOptions {
  /** Ways to store a linear whose divergence is measured. */
  readonly references: readonly QuantSpec[]
  /** All ways to store a linear; those that are no reference follow from the reference of the nearest bits. */
  readonly candidates: readonly QuantSpec[]
  /** Ways to store a table; null is float. */
  readonly tables: readonly (QuantSpec | null)[]
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
  /** The residual streams that were in memory at once. */
  readonly streamBytes: number
}

const FLOAT = 4
/** Positions whose predictions are compared, at most. */
const SCORED_ROWS = 256
/** Rows of a weight that the error of a way to store it is estimated on. */
const SAMPLED_ROWS = 96

/**
 * Measures all sites and tables.
 * @throws AwqError as the method's passes do; rejects with `signal.reason`
 */
export const measureSensitivities = async (options: SensitivityOptions): Promise<Sensitivities> => {
  const { model, engine, calibration, measured, references, tables, signal } = options
  const { description, checkpoint } = model
  const { layers, hiddenSize, vocabSize } = description.config
  await using runner = openBlockRunner(engine)
  let fit = options.method.statistics ? await embedded(options, calibration) : []
  let float = await embedded(options, measured)
  // The streams of the tables come first, those of the blocks follow in their order.
  const specs = tables.filter((spec) => spec !== null)
  const table = `${description.embedding} on the calibration text`
  /** By the batches of the float stream: its copies, each perturbed in its own way. */
  const streams = float.map((batch) =>
    stackedLike(
      batch,
      specs.map((spec) => rounded(batch.data as Float32Array, hiddenSize, spec, table)),
    ),
  )
  const sites: (Omit<SiteSensitivity, 'losses'> & { readonly shares: readonly (readonly number[])[] })[] = []
  for (let layer = 0; layer < layers; layer++) {
    signal?.throwIfAborted()
    const weights = await readBlockWeights(checkpoint, description, layer, { signal })
    const name = description.blockName(layer)
    const structure = description.blocks[layer]!
    const run = async (parameters: BlockWeights, stream: ActivationStream, outputs: ActivationStream | 'new' = 'new') =>
      (await runner.run(structure, parameters, stream, { observe: false, outputs, signal, name })).outputs
    const observed = { observe: fit.length > 0, allExperts: options.allExperts, signal, name }
    const { outputs, stats: collected } = await runner.run(structure, weights, fit, observed)
    const { stats } = settleExperts(structure, collected)
    const begun: Float32Array[][] = float.map(() => [])
    const blocks: BlockState[] = []
    for (const spec of references) {
      const specs: LinearSpecs = new Map(structure.linears.map((linear) => [linear.name, spec]))
      const start = { layer, engine, description, weights, stats, inputs: fit, specs, signal }
      blocks.push(await quantizedBlock(start, options.method))
    }
    for (const [site, linears] of unitsOf(structure)) {
      for (const block of blocks)
        for (const [i, { data }] of (await run(onlySite(block, linears), float)).entries())
          begun[i]!.push(data as Float32Array)
      sites.push({ layer, site, linears, shares: blocks.map((block) => errorShares(options, block, linears)) })
    }
    for (const [i, batch] of float.entries())
      streams[i] = [...(await run(weights, streams[i]!, streams[i]!)), ...stackedLike(batch, begun[i]!)]
    float = await run(weights, float)
    fit = outputs
    collectGarbage()
    options.onLayer?.(layer + 1)
  }
  const places = scoredPlaces(measured, vocabSize, SCORED_ROWS)
  const reference = rowsAt(joined(float), hiddenSize, places)
  const copies = streams.map((stream, i) => separate(stream, float[i]!.data.length))
  const found = await divergences({
    engine,
    description,
    checkpoint,
    reference,
    perturbed: [
      ...copies[0]!.map((_, copy) => ({
        rows: () => rowsAt(concatenated(copies.map((of) => of[copy]!)), hiddenSize, places),
        head: null,
      })),
      ...specs.map((head) => ({ rows: () => reference, head })),
    ],
    signal,
  })
  const ofTables = (losses: readonly number[]) => tables.map((spec) => (spec ? losses[specs.indexOf(spec)]! : 0))
  const measuredAt = (site: number, reference: number) => found[specs.length + site * references.length + reference]!
  const wrong = found.findIndex((loss) => !Number.isFinite(loss))
  if (wrong >= 0) {
    const at = sites[Math.floor((wrong - specs.length) / references.length)]
    const rounded = at ? `${description.blockName(at.layer)} with ${at.linears.join(', ')} rounded` : 'rounded tables'
    throw new AwqError(
      'NUMERIC',
      `no plan can be made: on the calibration text the outputs of ${found.some(Number.isFinite) ? rounded : 'the model'} ` +
        'are not finite; it overflows float32 or its weights are damaged; check the checkpoint',
    )
  }
  const coarser = coarserReference(options, sites)
  if (coarser) return measureSensitivities({ ...options, references: [coarser, ...references] })
  return {
    embedding: ofTables(found),
    streamBytes: FLOAT * (valuesIn(streams.flat()) + 2 * valuesIn(fit)),
    head: ofTables(found.slice(found.length - specs.length)),
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
