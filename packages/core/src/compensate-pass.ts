/**
 * The compensate pass: quantizes a block site by site, each on the inputs that the quantized sites and blocks before it
 * make, with weights moved to make up for what these changed.
 * @module
 */
import { openDrift } from '@awq/calibration'
import { type LinearSpec, linearsBySite } from '@awq/models'
import { compensateWeights } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import { type BlockState, type Pass, weightOf } from './block-state.ts'
import { runPasses, weightsSoFar } from './quantize-block.ts'

/** Options of `compensatePass`. */
export interface CompensatePassOptions {
  /** What is done to the linears of each site after their weights were moved: clip, round, ... */
  readonly passes: readonly Pass[]
  /** How far the weights move, 0..1; default 0.45: see `compensateWeights`. */
  readonly strength?: number | undefined
  /** Added to the Gram matrix's diagonal, as a fraction of its mean; default 0.1. */
  readonly damping?: number | undefined
  /** About how many calibration tokens the drift is measured on; default `all`. */
  readonly tokens?: number | 'all' | undefined
}

/**
 * Error-aware quantization. Rounding errors of one site change the inputs of the next; for each site in turn this measures
 * how, moves the weights of its linears part of the way to what gives the float outputs again (`compensateWeights`), and
 * runs `passes` on them; the weights of experts are not moved. Scales must be folded before: a site's scale is folded into
 * one that is rounded earlier.
 */
export const compensatePass = (options: CompensatePassOptions): Pass => {
  const { passes, strength = 0.45, damping = 0.1, tokens = 'all' } = options
  return {
    name: 'compensate',
    options: { strength, damping, tokens, passes: passes.map(({ name, options }) => ({ name, ...options })) },
    inputTokens: tokens,
    quantizedInputs: true,
    async run(block) {
      const { description, engine, layer, signal } = block
      const float = new Map(block.weights)
      const walk = openDrift(engine, {
        block: block.structure,
        weights: float,
        inputs: block.inputs,
        quantizedInputs: block.quantizedInputs,
        name: description.blockName(layer),
        signal,
      })
      const move = async (site: string, linears: readonly LinearSpec[]): Promise<void> => {
        const bias = float.get(`${linears[0]!.name}.bias`)
        const drift = await block.time('drift', () => walk.measure(site, weightsSoFar(block), bias))
        const weights = linears.map(({ name }) => weightOf(block, name))
        const name = description.parameter(layer, `${linears[0]!.name}.weight`)
        const options = { strength, damping, name, signal }
        const { weights: moved } = await compensateWeights(engine, { ...drift, weights }, options)
        linears.forEach((linear, index) => {
          block.weights.set(`${linear.name}.weight`, moved[index]!)
        })
      }
      const experts = new Set(block.structure.sites.flatMap(({ site, expert }) => (expert ? [site] : [])))
      for (const [site, linears] of linearsBySite(block.linears)) {
        // The quantized block may give an expert other tokens than the float one: there is nothing to compare.
        if (!experts.has(site)) await move(site, linears)
        const part: BlockState = { ...block, linears }
        await runPasses(part, passes)
        const missing = linears.find((linear) => !block.quantized.has(linear.name))
        if (missing)
          throw new AwqError(
            'INVALID_ARGUMENT',
            `the compensate pass left ${missing.name} without codes: it needs a rounding pass`,
          )
      }
      block.quantizedOutputs = await block.time('drift', () => walk.finish(weightsSoFar(block)))
    },
  }
}
