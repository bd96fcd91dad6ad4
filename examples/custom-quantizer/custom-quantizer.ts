/**
 * A quantizer of your own: a scale search and a rounding, each an object with a name and a `run`, put together with the
 * passes that are there.
 *
 *   npm start -w @awq/example-custom-quantizer
 */
import { applyScale, awq, clipPass, type Method, type Pass, rtn, specOf, statsOf, weightOf } from '@awq/core'
import { roundRtn } from '@awq/quantize'
import { float16BitsToFloat32, type QuantizedMatrix } from '@awq/tensor'

/** Instead of a search: the square root of the activations' magnitude, shared where columns share a producer's row. */
export const squareRootScale: Pass = {
  name: 'square-root-scale',
  async run(block) {
    for (const group of block.scaleGroups) {
      const { meanAbs } = statsOf(block, group.site)
      const largest = new Map<number, number>()
      group.producerRow.forEach((row, column) => {
        largest.set(row, Math.max(largest.get(row) ?? 1e-6, meanAbs[column]!))
      })
      const scale = Float32Array.from(group.producerRow, (row) => Math.sqrt(largest.get(row)!))
      const middle = Math.sqrt(Math.max(...scale) * Math.min(...scale))
      applyScale(block, group, { scale: scale.map((s) => s / middle) })
    }
  },
}

/**
 * Instead of nearest: up or down at random, with the nearer code more likely (stochastic rounding), seeded. Its mean is
 * right and its error larger: it shows what a rounding is made of, and loses to the nearest code.
 */
export const stochasticRound = (seed: number): Pass => ({
  name: 'stochastic-round',
  async run(block) {
    let state = seed + block.layer
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    }
    for (const { name, shape } of block.linears) {
      const weight = weightOf(block, name)
      const spec = specOf(block, name)
      const matrix: QuantizedMatrix = roundRtn(weight, shape, spec, block.ranges.get(name))
      const groups = matrix.scales.length / shape[0]
      matrix.codes.forEach((_, i) => {
        const group = Math.floor(i / shape[1]) * groups + Math.floor((i % shape[1]) / matrix.groupSize)
        const zero = matrix.zeroPoints?.[group] ?? 2 ** (spec.bits - 1)
        const exact = weight[i]! / float16BitsToFloat32(matrix.scales[group]!) + zero
        const code = Math.floor(exact + random())
        matrix.codes[i] = Math.min(2 ** spec.bits - 1, Math.max(0, code))
      })
      block.quantized.set(name, matrix)
    }
  },
})

const [, , round] = awq().passes
/** The own scale with the clip search and the rounding of AWQ. */
export const squareRootAwq: Method = { ...awq(), name: 'square-root', passes: [squareRootScale, clipPass(), round!] }
/** The own rounding alone. */
export const stochastic: Method = { ...rtn(), name: 'stochastic', passes: [stochasticRound(1)] }
