import { type Tensor, tensor, zeros } from '@awq/ort'
import { AwqError, releaseArrays } from '@awq/tensor'
import { assembleGram, gramBlocks, statsNames } from './layout.ts'
import { type ActivationStats, SAMPLE_ROWS } from './stats.ts'

/** A site that a graph observes: the name given to `observeStats` and the width of its activations. */
export interface Site {
  readonly site: string
  readonly width: number
  /** Only the tokens of an expert come by. */
  readonly routed?: boolean | undefined
}

/** What one run of an observing graph needs beside its own feeds, and what takes its outputs. */
export interface AccumulatorStep {
  /** The accumulators' current values and the tokens to sample. */
  readonly feeds: Record<string, Tensor>
  /** Where the new values go: the `into` option of the run. Empty without `inPlace`, else the buffers of `feeds`. */
  readonly into: Record<string, Tensor>
  /**
   * Takes the run's outputs; the next step builds on them. A step that is not committed leaves no trace, unless
   * `inPlace`: then a run that failed is the end of the accumulator.
   * @throws AwqError NUMERIC naming the site when an activation was NaN or infinite.
   */
  commit(outputs: Record<string, Tensor>): void
}

/** Owns the buffers that statistics accumulate in over the runs of a graph made with `observeStats`. */
export interface StatsAccumulator {
  /** The outputs that must be fetched. */
  readonly outputNames: readonly string[]
  /** Prepares the next run, over `tokens` tokens (batch times length). */
  step(tokens: number): AccumulatorStep
  /**
   * The statistics of all committed runs, by site. The accumulator cannot be used afterwards.
   * @throws AwqError NUMERIC naming the site when a sum of squares exceeded float32, INVALID_ARGUMENT before any run.
   */
  finish(): Map<string, ActivationStats>
}

/** Options of {@link createAccumulator}. */
export interface AccumulatorOptions {
  /** Tokens of all runs together; spreads the sample evenly. More may come: they are only not sampled. */
  readonly totalTokens: number
  /** Tokens to keep, at most 512. */
  readonly sampleRows?: number | undefined
  /**
   * Whether the engine writes outputs where it is told (`engine.features.inPlaceOutputs`): the sums are then written
   * over their old values, which Gemm (as its C), Add and Max allow: they read each element before they write it.
   * Otherwise (default) each run's fresh outputs become the next run's inputs, without a copy.
   */
  readonly inPlace?: boolean | undefined
  /** Whose activations they are, for error messages: `model.layers.3`. */
  readonly name?: string | undefined
}

/** The buffers of one site. */
interface SiteBuffers extends Site {
  readonly names: ReturnType<typeof statsNames>
  now: Map<string, Tensor>
  readonly sample: Float32Array
}

/**
 * An accumulator for the given sites. Memory: about 0.6 * width^2 floats for each site, twice that while a run lasts that
 * is not `inPlace`.
 * @throws AwqError INVALID_ARGUMENT for sites of one name, widths or totals that are not positive integers.
 */
export function createAccumulator(sites: readonly Site[], options: AccumulatorOptions): StatsAccumulator {
  const { totalTokens, sampleRows = SAMPLE_ROWS, inPlace = false } = options
  checkArguments(sites, totalTokens, sampleRows)
  const stride = Math.max(1, Math.ceil(totalTokens / sampleRows))
  const limit = Math.ceil(totalTokens / stride)
  const buffers = sites.map(
    (site): SiteBuffers => ({
      ...site,
      names: statsNames(site.site),
      now: emptySums(site),
      sample: new Float32Array(limit * site.width),
    }),
  )
  let count = 0
  let sampled = 0
  const outputNames = buffers.flatMap(({ now, names }) => [...[...now.keys()].map(names.next), names.sample])

  const step = (tokens: number): AccumulatorStep => {
    if (!Number.isSafeInteger(tokens) || tokens < 1) {
      throw new AwqError('INVALID_ARGUMENT', `a calibration run needs a positive number of tokens, not ${tokens}`)
    }
    const rows = sampleIndices(count, tokens, stride).slice(0, limit - sampled)
    // A run that keeps nothing still fetches one row: not every engine takes an empty tensor.
    const indices = tensor(
      'int64',
      [Math.max(1, rows.length)],
      BigInt64Array.from(rows.length > 0 ? rows : [0], BigInt),
    )
    const feeds: Record<string, Tensor> = {}
    const into: Record<string, Tensor> = {}
    for (const { now, names } of buffers) {
      for (const [name, value] of now) {
        feeds[name] = value
        if (inPlace) into[names.next(name)] = value
      }
      feeds[names.rows] = indices
    }
    const commit = (outputs: Record<string, Tensor>): void => {
      const sums = buffers.map((buffer) => checkedSums(buffer, outputs, options.name))
      buffers.forEach((buffer, index) => {
        const sample = outputOf(buffer, outputs, buffer.names.sample).data as Float32Array
        buffer.sample.set(sample.subarray(0, rows.length * buffer.width), sampled * buffer.width)
        buffer.now = sums[index]!
      })
      count += tokens
      sampled += rows.length
    }
    return { feeds, into, commit }
  }

  const finish = (): Map<string, ActivationStats> => {
    if (count === 0)
      throw new AwqError('INVALID_ARGUMENT', 'no calibration run was committed, so there are no statistics')
    return new Map(buffers.map((buffer) => [buffer.site, statsOf(buffer, count, sampled)]))
  }
  return { outputNames, step, finish }
}

function checkArguments(sites: readonly Site[], totalTokens: number, sampleRows: number): void {
  const fail = (problem: string): never => {
    throw new AwqError('INVALID_ARGUMENT', problem)
  }
  if (new Set(sites.map(({ site }) => site)).size !== sites.length) fail('two observed sites have the same name')
  const wrong = sites.find(({ width }) => !Number.isSafeInteger(width) || width < 1)
  if (wrong !== undefined) fail(`the width of site '${wrong.site}' must be a positive integer, not ${wrong.width}`)
  if (!Number.isSafeInteger(totalTokens) || totalTokens < 1) {
    fail(`totalTokens must be a positive integer, not ${totalTokens}`)
  }
  if (!Number.isSafeInteger(sampleRows) || sampleRows < 1 || sampleRows > SAMPLE_ROWS) {
    fail(`sampleRows must be an integer from 1 to ${SAMPLE_ROWS}, not ${sampleRows}`)
  }
}

function emptySums({ site, width, routed }: Site): Map<string, Tensor> {
  const names = statsNames(site)
  const blocks = gramBlocks(width).map(({ rows, columns }, index) => {
    const shape = [rows.end - rows.start, columns.end - columns.start]
    return [names.gram(index), zeros('float32', shape)] as const
  })
  const sums = [names.sumAbs, names.maxAbs].map((name) => [name, zeros('float32', [width])] as const)
  return new Map([...blocks, ...sums, ...(routed ? [[names.reached, zeros('float32', [1])] as const] : [])])
}

/** The tokens of a run of `tokens` tokens, beginning at token `start` of all, whose position is a multiple of `stride`. */
function sampleIndices(start: number, tokens: number, stride: number): number[] {
  const rows: number[] = []
  for (let row = (stride - (start % stride)) % stride; row < tokens; row += stride) rows.push(row)
  return rows
}

function outputOf({ site }: Site, outputs: Record<string, Tensor>, name: string): Tensor {
  const output = outputs[name]
  if (output === undefined) {
    throw new AwqError('INVALID_ARGUMENT', `the run of '${site}' did not fetch '${name}': fetch all of outputNames`)
  }
  return output
}

/** The new sums of a site; refuses activations that are not finite, which show in the sum of magnitudes. */
function checkedSums(buffer: SiteBuffers, outputs: Record<string, Tensor>, owner?: string): Map<string, Tensor> {
  const { site, names, now } = buffer
  const sums = new Map([...now.keys()].map((name) => [name, outputOf(buffer, outputs, names.next(name))]))
  const channel = (sums.get(names.sumAbs)!.data as Float32Array).findIndex((value) => !Number.isFinite(value))
  if (channel >= 0) {
    throw new AwqError(
      'NUMERIC',
      `${owner === undefined ? '' : `${owner}: `}the activations of '${site}' are not finite (channel ${channel}): the model ` +
        'overflows float32 on the calibration text or its weights are damaged; check the checkpoint',
    )
  }
  return sums
}

function statsOf(buffer: SiteBuffers, count: number, sampled: number): ActivationStats {
  const { site, width, routed, names, now, sample } = buffer
  const data = (name: string) => now.get(name)!.data as Float32Array
  const gram = assembleGram(
    width,
    gramBlocks(width).map((_, index) => data(names.gram(index))),
    count,
  )
  if (!gram.every(Number.isFinite)) {
    throw new AwqError(
      'NUMERIC',
      `the squared activations of '${site}' exceed float32: their magnitude reaches ${data(names.maxAbs).reduce((a, b) => Math.max(a, b), 0)}`,
    )
  }
  const stats = {
    count,
    width,
    meanAbs: data(names.sumAbs).map((sum) => sum / count),
    maxAbs: data(names.maxAbs).slice(),
    gram,
    sample: sampled * width === sample.length ? sample : sample.slice(0, sampled * width),
    ...(routed ? { reached: data(names.reached)[0]! } : {}),
  }
  releaseArrays([...now.values()].map(({ data }) => data as Float32Array))
  return stats
}
