/**
 * Rounding passes: float weights to integer codes.
 * @module
 */
import type { Engine } from '@awq/ort'
import { effectiveGroupSize, type GroupRanges, type QuantSpec, roundGptq, roundRtn } from '@awq/quantize'
import { AwqError, checkQuantizedMatrix, type QuantizedMatrix } from '@awq/tensor'
import { type Pass, specOf } from './block-state.ts'
import { gptqFactor } from './gptq-factors.ts'
import { codedStatsOf, codedWeightOf } from './salient.ts'

/** One matrix to round. */
export interface RoundingProblem {
  readonly engine: Engine
  /** `[out, in]`, after all scales were folded; zeros in channels that stay float. */
  readonly weight: Float32Array
  readonly shape: readonly [out: number, width: number]
  readonly spec: QuantSpec
  /** What the codes must cover, when a clip pass chose it. */
  readonly ranges: GroupRanges | undefined
  /** `[in, in]`, mean of x x^T over the calibration tokens. @throws AwqError when the method collects no statistics */
  gram(): Float32Array
  /** Makes something once for all matrices that read the same input: `make` runs for the first of them. */
  shared<T>(make: () => Promise<T>): Promise<T>
  /** The parameter's name in the checkpoint, for messages. */
  readonly name: string
  readonly layer: number
  readonly signal: AbortSignal | undefined
}

/** A way to turn weights into codes. One of your own is any object of this form. */
export interface Rounding {
  readonly name: string
  /** What else decides the result, as JSON: a run is resumed only with the same. */
  readonly options?: object | undefined
  round(problem: RoundingProblem): QuantizedMatrix | Promise<QuantizedMatrix>
}

/** What a rounding gave, when it is a matrix of the shape, bits and groups that were asked for. */
const checkRounded = (
  matrix: QuantizedMatrix | undefined,
  { name, shape, spec }: RoundingProblem,
  rounding: string,
): QuantizedMatrix => {
  const who = `${name} as rounded by ${rounding}`
  if (!matrix?.codes || !matrix.scales || !matrix.shape)
    throw new AwqError('INVALID_ARGUMENT', `${who}: no matrix was returned`)
  checkQuantizedMatrix(matrix, who)
  const text = (size: readonly number[], bits: number, groupSize: number, symmetric: boolean) =>
    `[${size.join(', ')}] in ${bits} bits, group ${groupSize}, ${symmetric ? 'symmetric' : 'with zero points'}`
  const given = text(matrix.shape, matrix.bits, matrix.groupSize, matrix.zeroPoints === null)
  const asked = text(shape, spec.bits, effectiveGroupSize(spec.groupSize, shape[1]), spec.symmetric)
  if (given !== asked) throw new AwqError('INVALID_ARGUMENT', `${who} is ${given}; asked for was ${asked}`)
  return matrix
}

/**
 * The pass that rounds every linear of a block by `rounding`.
 * @throws AwqError `INVALID_ARGUMENT`, when run, for a matrix of another shape or grid than asked for, or codes beyond it
 */
export const roundPass = (rounding: Rounding): Pass => ({
  name: rounding.name,
  options: rounding.options,
  async run(block) {
    const bySite = new Map<string, Promise<unknown>>()
    for (const { name: linear, shape, site } of block.linears) {
      block.signal?.throwIfAborted()
      const problem: RoundingProblem = {
        engine: block.engine,
        weight: codedWeightOf(block, linear),
        shape,
        spec: specOf(block, linear),
        ranges: block.ranges.get(linear),
        gram: () => codedStatsOf(block, site).gram,
        shared<T>(make: () => Promise<T>) {
          const found = (bySite.get(site) as Promise<T> | undefined) ?? make()
          bySite.set(site, found)
          return found
        },
        name: block.description.parameter(block.layer, `${linear}.weight`),
        layer: block.layer,
        signal: block.signal,
      }
      block.quantized.set(linear, checkRounded(await rounding.round(problem), problem, rounding.name))
    }
  },
})

/** Rounds every weight to the nearest code of its group. */
export const rtnPass = (): Pass =>
  roundPass({
    name: 'rtn',
    round: ({ weight, shape, spec, ranges, name }) => roundRtn(weight, shape, spec, ranges, { name }),
  })

/** Options of `gptqPass`. */
export interface GptqPassOptions {
  /** Added to the Gram's diagonal, as a fraction of its mean. */
  readonly damping?: number | undefined
  /** `activation`: columns by decreasing Gram diagonal; `column`: as they stand. */
  readonly order?: 'activation' | 'column' | undefined
}

/** GPTQ (arXiv 2210.17323) with static groups: each column's rounding error is spread over those still to come. */
export const gptqPass = (options: GptqPassOptions = {}): Pass =>
  roundPass({
    name: 'gptq',
    options,
    async round({ engine, weight, shape, spec, ranges, gram, name, signal }) {
      const common = { ...options, name, signal }
      // The factor is most of the work, and the same for all that read the same activations.
      const factor = await gptqFactor(engine, gram(), shape[1], common)
      return roundGptq(engine, weight, shape, factor, spec, { ...common, ranges })
    },
  })
