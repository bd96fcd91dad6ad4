/**
 * The key and value cache of one conversation: one pair of buffers per layer, which grow in buckets.
 * @module
 */
import type { ActivationType, AttentionForm } from '@awq/models'
import { Graph } from '@awq/onnx'
import { cachedSession, type DeviceTensor, type Engine, type Tensor, tensor, zeros } from '@awq/ort'
import { AwqError } from '@awq/tensor'
import { turnEventLoop } from './event-loop.ts'

/** Positions by which a cache grows. A fixed size keeps the shapes of a graph's inputs equal for many steps. */
export const bucket = 256

/** Buffers by the names of a layer's keys and values: `0.key`, `0.value`, `1.key` ... */
type Buffers = ReadonlyMap<string, Tensor | DeviceTensor>

/** A cache whose slots 0 to `length - 1` are filled. */
export interface KeyValueCache {
  readonly length: number
  /** Slots there are: a multiple of `bucket`, or the whole context. */
  readonly capacity: number
  /** The buffers as feeds `past.N.key` and `past.N.value`: the same object until the cache grows. */
  readonly past: Readonly<Record<string, Tensor | DeviceTensor>>
  /** Makes room for a run of `count` new tokens. What the cache holds is kept. */
  reserve(count: number): Promise<void>
  /** Where a run of `count` tokens writes `present.*`: the buffers themselves (fused), or room for the new rows (plain). */
  targets(count: number): Readonly<Record<string, Tensor | DeviceTensor>>
  /** Takes over what such a run wrote to its targets. */
  append(targets: Readonly<Record<string, Tensor | DeviceTensor>>, count: number): Promise<void>
  /** Forgets the tokens from `length` on. */
  truncate(length: number): void
  dispose(): void
}

/** Heads of a layer's keys and values, and their width; `valueDim` where values have another. */
export interface CacheShape {
  readonly kvHeads: number
  readonly headDim: number
  readonly valueDim?: number | undefined
}

/** How a cache is made. */
export interface CacheOptions {
  readonly form: AttentionForm
  /** Element type of keys and values, float32 by default. */
  readonly dtype?: ActivationType | undefined
  /** Tokens that it ever holds at most: no slots are made past them. */
  readonly contextLength: number
  /** Tokens expected: slots for them are made at once. */
  readonly expected?: number | undefined
  /** An engine on whose device the buffers lie, for the fused form; without one they are arrays. */
  readonly device?: Engine | undefined
  /** Slots that a run needs even without a past; default 0. WebGPU's kernels end the process over an input without elements. */
  readonly leastSlots?: 0 | 1 | undefined
}

/** Elements of float32 or the bits of float16. */
type Elements = Float32Array | Uint16Array

/**
 * Copies rows `[heads, from, width]` into slots `at` to `at + count - 1` of a buffer `[heads, to, width]`.
 */
export const copyRows = (
  source: Elements,
  from: number,
  target: Elements,
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

/** Copies a buffer into the first slots of a longer one, both on an engine's device. */
const growOnDevice = async (
  engine: Engine,
  dtype: ActivationType,
  from: DeviceTensor,
  to: DeviceTensor,
): Promise<void> => {
  const session = await cachedSession(engine, `longer ${dtype} cache`, () => {
    const graph = new Graph('longer-cache')
    const old = graph.input('old', dtype, ['batch', 'heads', 'slots', 'width'])
    const pads = graph.input('pads', 'int64', [8])
    graph.output('new', graph.add('Pad', [old, pads], {}, { shape: ['batch', 'heads', 'more slots', 'width'] }))
    return graph.toBytes()
  })
  const pads = tensor('int64', [8], BigInt64Array.of(0n, 0n, 0n, 0n, 0n, 0n, BigInt(to.shape[2]! - from.shape[2]!), 0n))
  await session.run({ old: from, pads }, { into: { new: to } })
}

/** Elements that are copied before the event loop turns. */
const copiedAtOnce = 2 ** 20

/**
 * An empty cache.
 *
 * `plain`: the past is read by a run and its new rows are outputs, copied in here; slots are needed for the past alone,
 * so the first run of a conversation has a cache of capacity 0. `fused`: the run itself writes into the slots after the
 * past, in the buffers given as both past and present; they at least double when they grow.
 */
export const createCache = (shapes: readonly CacheShape[], options: CacheOptions): KeyValueCache => {
  const { form, dtype = 'float32', contextLength, device, leastSlots = 0 } = options
  const shapeOf = new Map(
    shapes.flatMap(({ kvHeads, headDim, valueDim = headDim }, layer) => [
      [`${layer}.key`, { kvHeads, headDim }] as const,
      [`${layer}.value`, { kvHeads, headDim: valueDim }] as const,
    ]),
  )
  let length = 0
  let capacity = 0
  let expected = options.expected ?? 0
  let buffers: Buffers = new Map(
    [...shapeOf].map(([name, { kvHeads, headDim }]) => [name, zeros(dtype, [1, kvHeads, 0, headDim])]),
  )
  const named = (prefix: string, values: Buffers): Record<string, Tensor | DeviceTensor> =>
    Object.fromEntries([...values].map(([name, value]) => [`${prefix}.${name}`, value]))
  let past = named('past', buffers)

  const free = (values: Buffers): void => {
    for (const value of values.values()) if ('location' in value) value.dispose()
  }

  const longer = async (
    old: Tensor | DeviceTensor,
    { kvHeads, headDim }: CacheShape,
    slots: number,
  ): Promise<Tensor | DeviceTensor> => {
    const shape = [1, kvHeads, slots, headDim]
    if (device && form === 'fused') {
      const made = device.allocate(dtype, shape)
      if (length > 0) await growOnDevice(device, dtype, old as DeviceTensor, made)
      return made
    }
    const made = zeros(dtype, shape)
    copyRows((old as Tensor).data as Elements, capacity, made.data as Elements, slots, 0, length, kvHeads, headDim)
    return made
  }

  const resize = async (slots: number): Promise<void> => {
    const made = new Map<string, Tensor | DeviceTensor>()
    let copied = 0
    try {
      for (const [name, shape] of shapeOf) {
        const { kvHeads, headDim } = shape
        made.set(name, await longer(buffers.get(name)!, shape, slots))
        copied += length * kvHeads * headDim
        if (copied < copiedAtOnce) continue
        copied = 0
        await turnEventLoop()
      }
    } catch (error) {
      free(made)
      if (!(error instanceof RangeError)) throw error
      throw new AwqError(
        'INVALID_ARGUMENT',
        `There is no memory for a cache of ${slots} tokens (${shapes.length} layers, ${dtype}); ` +
          'use a shorter context.',
        { cause: error },
      )
    }
    free(buffers)
    buffers = made
    capacity = slots
    past = named('past', buffers)
  }

  const room = async (tokens: number): Promise<void> => {
    if (tokens <= capacity) return
    // Slots that are not used yet cost no memory in arrays, but the plain form computes over all that there are.
    const wish = form === 'fused' ? Math.max(tokens, expected, 2 * capacity) : tokens
    expected = 0
    await resize(Math.max(tokens, Math.min(contextLength, Math.ceil(wish / bucket) * bucket)))
  }

  return {
    get length() {
      return length
    },
    get capacity() {
      return capacity
    },
    get past() {
      return past
    },
    reserve: (count) => room(form === 'plain' ? Math.max(leastSlots, length) : length + count),
    targets(count) {
      if (form === 'fused') return named('present', buffers)
      const rows = ({ kvHeads, headDim }: CacheShape): Tensor => zeros(dtype, [1, kvHeads, count, headDim])
      return Object.fromEntries([...shapeOf].map(([name, shape]) => [`present.${name}`, rows(shape)]))
    },
    async append(targets, count) {
      if (form === 'plain') {
        await room(length + count)
        for (const [name, { kvHeads, headDim }] of shapeOf) {
          const rows = (targets[`present.${name}`] as Tensor).data as Elements
          const { data } = buffers.get(name) as Tensor
          copyRows(rows, count, data as Elements, capacity, length, count, kvHeads, headDim)
        }
      }
      length += count
    },
    truncate(to) {
      if (!Number.isSafeInteger(to) || to < 0 || to > length) {
        throw new AwqError('INVALID_ARGUMENT', `A cache of ${length} tokens can not be cut to ${to}.`)
      }
      length = to
    },
    dispose() {
      free(buffers)
      buffers = new Map()
      length = 0
      capacity = 0
    },
  }
}
