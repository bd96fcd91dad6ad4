/**
 * A quantizer of your own: a scale strategy and a rounding, each an object with a name and one function, put together with
 * the passes that are there. docs/custom-quantizer.md explains it line by line.
 *
 *   npm start -w @awq/example-custom-quantizer
 */
import { awq, clipPass, type Method, type Rounding, roundPass, rtn, rtnPass, scalePass } from '@awq/core'
import { roundRtn } from '@awq/quantize'
import type { ScaleStrategy } from '@awq/search'
import { float16BitsToFloat32 } from '@awq/tensor'

/** Powers of the mean and of the largest magnitude of each channel: a grid of 6 x 4 scales. */
export const meanAndMax: ScaleStrategy = {
  name: 'mean-and-max',
  async search({ stats, producerRow, evaluate }) {
    const perRow = (values: Float32Array) => {
      const largest = new Map<number, number>()
      producerRow.forEach((row, column) => {
        largest.set(row, Math.max(largest.get(row) ?? 1e-6, values[column]!))
      })
      return Float32Array.from(producerRow, (row) => largest.get(row)!)
    }
    const [mean, most] = [perRow(stats.meanAbs), perRow(stats.maxAbs)]
    const scales = [0, 0.1, 0.2, 0.3, 0.4, 0.5].flatMap((a) =>
      [0, 0.1, 0.2, 0.3].map((b) => mean.map((value, column) => value ** a * most[column]! ** b)),
    )
    const losses = await evaluate(scales)
    return { scale: scales[losses.indexOf(Math.min(...losses))]! }
  },
}

/** Up or down at random, the nearer code with more luck (stochastic rounding): right on average, with a larger error. */
export const stochasticRounding = (seed: number): Rounding => ({
  name: 'stochastic',
  options: { seed },
  round({ weight, shape, spec, ranges, layer }) {
    let state = seed + layer
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    }
    const matrix = roundRtn(weight, shape, spec, ranges)
    const groups = matrix.scales.length / shape[0]
    matrix.codes.forEach((_, i) => {
      const group = Math.floor(i / shape[1]) * groups + Math.floor((i % shape[1]) / matrix.groupSize)
      const zero = matrix.zeroPoints?.[group] ?? 2 ** (spec.bits - 1)
      const exact = weight[i]! / float16BitsToFloat32(matrix.scales[group]!) + zero
      matrix.codes[i] = Math.min(2 ** spec.bits - 1, Math.max(0, Math.floor(exact + random())))
    })
    return matrix
  },
})

/** The own scales with the clip search and the rounding of AWQ. */
export const ownAwq: Method = {
  ...awq(),
  name: 'mean-and-max',
  passes: [scalePass({ strategy: meanAndMax }), clipPass(), rtnPass()],
}
/** The own rounding alone. */
export const stochastic: Method = { ...rtn(), name: 'stochastic', passes: [roundPass(stochasticRounding(1))] }
