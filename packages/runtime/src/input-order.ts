/**
 * Inputs of products whose matrices have their columns in an order of their own.
 * @module
 */
import type { Graph, Value } from '@awq/onnx'

/** True when both are the same order; null is the order of the model. */
export const sameOrder = (one: Int32Array | null, other: Int32Array | null): boolean =>
  one === other ||
  (one !== null &&
    other !== null &&
    one.length === other.length &&
    one.every((input, column) => input === other[column]))

/**
 * What gives a value with its last axis in some order: `x[..., order]`. Siblings that read it in the same order share one
 * Gather.
 */
export const orderedInput = (graph: Graph, x: Value): ((order: Int32Array | null) => Value) => {
  const made: { readonly order: Int32Array | null; readonly value: Value }[] = [{ order: null, value: x }]
  return (order) => {
    const known = made.find((one) => sameOrder(one.order, order))
    if (known) return known.value
    const indices = graph.constant('int32', [order!.length], order!)
    const value = graph.add('Gather', [x, indices], { axis: -1 })
    made.push({ order, value })
    return value
  }
}
