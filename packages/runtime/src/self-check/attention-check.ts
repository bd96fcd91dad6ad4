/**
 * A model's attention on a device, with made-up values, against plain arithmetic in double precision.
 * @module
 */
import {
  type ActivationType,
  type AttentionForm,
  type AttentionStep,
  declareSequence,
  emitAttention,
  type ModelDescription,
  ropeFeeds,
  sequenceFeeds,
  sequenceNeeds,
  takesPacked,
} from '@awq/models'
import { Graph } from '@awq/onnx'
import { type Engine, kernelsOf, type Session } from '@awq/ort'
import { createCache } from '../cache.ts'
import { attendPlainly, type HeadRows } from './attention-reference.ts'
import { deviation, madeUp, tolerance, valuesOf } from './compare.ts'

/** Tokens of a run: a prompt, then single ones. Fewer than 32, see `choosePrefillChunk`. */
const runs: readonly number[] = [20, 1, 1]
const total = runs.reduce((sum, count) => sum + count)

/** Some rows `[from, to)` of values `[tokens, width]`. */
const rowsOf = ({ data, width }: HeadRows, from: number, to: number): Float32Array =>
  data.subarray(from * width, to * width)

const attentionGraph = (step: AttentionStep, form: AttentionForm, dtype: ActivationType): Graph => {
  const { heads, kvHeads, headDim, valueDim = headDim } = step
  const graph = new Graph('attention-check')
  const input = (name: string, width: number) => graph.input(name, dtype, ['batch', 'sequence', width])
  const projections = takesPacked(form, step)
    ? ([input('packed', (heads + 2 * kvHeads) * headDim)] as const)
    : ([input('query', heads * headDim), input('key', kvHeads * headDim), input('value', kvHeads * valueDim)] as const)
  const cache = (name: string, width: number) => graph.input(name, dtype, ['batch', kvHeads, 'capacity', width])
  const made = emitAttention(graph, form, step, projections, {
    inputs: declareSequence(graph, { sequence: sequenceNeeds([step]) }, form, dtype, ['batch', 'sequence']),
    past: { key: cache('past.0.key', headDim), value: cache('past.0.value', valueDim) },
    sinks: step.sinks ? graph.input('sinks', dtype, [heads]) : undefined,
  })
  graph.output('output', dtype === 'float32' ? made.output : graph.add('Cast', [made.output], { to: 'float32' }))
  graph.output('present.0.key', made.key)
  graph.output('present.0.value', made.value)
  return graph
}

/** What a run is fed beside the cache: the projections, in one value where the graph takes them so. */
const projectionFeeds = (
  step: AttentionStep,
  form: AttentionForm,
  dtype: ActivationType,
  [query, key, value]: readonly [HeadRows, HeadRows, HeadRows],
  from: number,
  count: number,
) => {
  const feed = (rows: HeadRows) => valuesOf(rowsOf(rows, from, from + count).slice(), dtype, [1, count, rows.width])
  if (!takesPacked(form, step)) return { query: feed(query), key: feed(key), value: feed(value) }
  const width = query.width + key.width + value.width
  const packed = new Float32Array(count * width)
  for (let i = 0; i < count; i++) {
    let at = i * width
    for (const rows of [query, key, value]) {
      packed.set(rowsOf(rows, from + i, from + i + 1), at)
      at += rows.width
    }
  }
  return { packed: valuesOf(packed, dtype, [1, count, width]) }
}

/** The outputs of all tokens, `[tokens, heads * valueDim]`, run by run with a cache. */
const attendOn = async (
  engine: Engine,
  session: Session,
  step: AttentionStep,
  form: AttentionForm,
  dtype: ActivationType,
  values: readonly [HeadRows, HeadRows, HeadRows],
  sinks: Float32Array,
  signal: AbortSignal | undefined,
): Promise<Float32Array> => {
  const model = { sequence: sequenceNeeds([step]) }
  const cache = createCache([step], {
    form,
    dtype,
    contextLength: total,
    device: engine.features.deviceTensors ? engine : undefined,
    leastSlots: kernelsOf(engine.device).emptyValues ? 0 : 1,
  })
  const outputs: number[] = []
  try {
    for (const count of runs) {
      await cache.reserve(count)
      const { length: past, capacity } = cache
      const targets = cache.targets(count)
      const feeds = {
        ...projectionFeeds(step, form, dtype, values, past, count),
        ...ropeFeeds(model, form, capacity + count, dtype, total),
        ...sequenceFeeds(model, form, { past, length: count, capacity }, 1, true),
        ...(step.sinks ? { sinks: valuesOf(sinks, dtype, [step.heads]) } : {}),
        ...cache.past,
      }
      const { output } = await session.run(feeds, { into: targets, signal })
      outputs.push(...(output!.data as Float32Array))
      await cache.append(targets, count)
    }
  } finally {
    cache.dispose()
  }
  return Float32Array.from(outputs)
}

const describeStep = ({ heads, kvHeads, headDim, window, alibi }: AttentionStep, form: AttentionForm): string =>
  `${form} attention of ${heads} heads (${kvHeads} of keys) of ${headDim}${window === null ? '' : `, window ${window}`}${alibi ? ', linear biases' : ''}`

/**
 * Computes each kind of attention that a model has: a prompt and single tokens after it.
 * @returns what is computed wrong, in words; undefined when all is right
 * @throws AwqError ENGINE when the device can not compute it at all
 */
export const checkAttention = async (
  engine: Engine,
  { sequence }: Pick<ModelDescription, 'sequence'>,
  form: AttentionForm,
  dtype: ActivationType,
  signal: AbortSignal | undefined,
): Promise<string | undefined> => {
  const kinds = new Map(
    sequence.attentions.map((step) => {
      const { query: _, key: __, value: ___, to: ____, sinks, ...shape } = step
      return [JSON.stringify([shape, sinks !== undefined]), step] as const
    }),
  )
  for (const step of kinds.values()) {
    const { heads, kvHeads, headDim, valueDim = headDim } = step
    const made = (width: number, seed: number): HeadRows => ({ data: madeUp(total * width, seed), width })
    const values = [made(heads * headDim, 1), made(kvHeads * headDim, 2), made(kvHeads * valueDim, 3)] as const
    const sinks = madeUp(heads, 4)
    const tables = ropeFeeds({ sequence: sequenceNeeds([step]) }, 'plain', total)
    const expected = attendPlainly(step, values, step.sinks ? sinks : undefined, tables)
    await using session = await engine.createSession(attentionGraph(step, form, dtype).toBytes(), { signal })
    const got = await attendOn(engine, session, step, form, dtype, values, sinks, signal)
    const off = deviation(got, expected)
    if (!(off <= tolerance(dtype, false))) {
      return `${describeStep(step, form)} in ${dtype} is off by ${off.toPrecision(2)} of its size`
    }
  }
  return undefined
}
