/**
 * How most matrices of a model are quantized.
 * @module
 */
import type { QuantSpec } from '@awq/quantize'
import type { QuantizedParameter } from '../model.ts'

/**
 * The spec that most matrices have, the first of these where several do; undefined for none.
 * @param weightOf what a matrix counts, by name; default 1
 */
export const usualSpec = (
  matrices: readonly (readonly [name: string, parameter: QuantizedParameter])[],
  weightOf: (name: string) => number = () => 1,
): QuantSpec | undefined => {
  const counts = new Map<string, { readonly spec: QuantSpec; count: number }>()
  for (const [name, { spec }] of matrices) {
    const { bits, groupSize, symmetric } = spec
    const key = `${bits} ${groupSize} ${symmetric}`
    const counted = counts.get(key) ?? { spec: { bits, groupSize, symmetric }, count: 0 }
    counted.count += weightOf(name)
    counts.set(key, counted)
  }
  return [...counts.values()].sort((one, other) => other.count - one.count)[0]?.spec
}
