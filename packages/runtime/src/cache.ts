/**
 * The key and value cache of one conversation: one pair of buffers per layer, grown in buckets.
 * @module
 */
import type { AttentionForm, ModelConfig } from '@awq/models'
import { type Tensor, tensor } from '@awq/ort'

/** Positions by which a cache grows. A fixed size keeps the shapes of a graph's inputs equal for many steps. */
export const bucket = 256

/** A cache whose slots 0 to `length - 1` are filled. */
export interface KeyValueCache {
  readonly length: number
  /** Slots there are, a multiple of `bucket`. */
  readonly capacity: number
  /** Makes room for what a run of `count` new tokens needs, and gives the feeds `past.N.key` and `past.N.value`. */
  feeds(count: number): Record<string, Tensor>
  /** Buffers for the outputs `present.N.*`; empty in the plain form, whose outputs are only the new rows. */
  targets(): Record<string, Tensor>
  /** Takes over the outputs of that run. */
  append(outputs: Readonly<Record<string, Tensor>>, count: number): void
}

/**
 * Copies rows `[heads, from, width]` into slots `at` to `at + count - 1` of a buffer `[heads, to, width]`.
 */
export const copyRows = (
  source: Float32Array,
  from: number,
  target: Float32Array,
  to: number,
  at: number,
  count: number,
  heads: number,
  width: number,
): void => {
  for (let head = 0; head < heads; head++) {
    const start = head * from * width
    target.set(source.subarray(start, start + count * width), (head * to + at) * width)
  }
}

/**
 * An empty cache.
 *
 * `plain`: the past is read by a run and its new rows are outputs, copied in here; slots are needed for the past alone,
 * so the first run of a conversation has a cache of capacity 0. `fused`: the run itself writes into the slots after the
 * past, in the buffers given as both past and present.
 */
export const createCache = (
  config: Pick<ModelConfig, 'layers' | 'kvHeads' | 'headDim'>,
  form: AttentionForm,
): KeyValueCache => {
  const { layers, kvHeads, headDim } = config
  let length = 0
  let capacity = 0
  let buffers: Record<string, Tensor> = {}
  const names = Array.from({ length: layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat()

  const resize = (slots: number): void => {
    const grown: Record<string, Tensor> = {}
    for (const name of names) {
      const data = new Float32Array(kvHeads * slots * headDim)
      const old = buffers[name]
      if (old) copyRows(old.data as Float32Array, capacity, data, slots, 0, length, kvHeads, headDim)
      grown[name] = tensor('float32', [1, kvHeads, slots, headDim], data)
    }
    buffers = grown
    capacity = slots
  }
  const reserve = (tokens: number): void => {
    const slots = Math.ceil(tokens / bucket) * bucket
    if (slots > capacity || Object.keys(buffers).length === 0) resize(Math.max(slots, capacity))
  }
  const named = (prefix: string): Record<string, Tensor> =>
    Object.fromEntries(names.map((name) => [`${prefix}.${name}`, buffers[name] as Tensor]))

  return {
    get length() {
      return length
    },
    get capacity() {
      return capacity
    },
    feeds(count) {
      reserve(form === 'plain' ? length : length + count)
      return named('past')
    },
    targets: () => (form === 'plain' ? {} : named('present')),
    append(outputs, count) {
      if (form === 'plain') {
        reserve(length + count)
        for (const name of names) {
          const rows = outputs[`present.${name}`]?.data as Float32Array
          const { data } = buffers[name] as Tensor
          copyRows(rows, count, data as Float32Array, capacity, length, count, kvHeads, headDim)
        }
      }
      length += count
    },
  }
}
