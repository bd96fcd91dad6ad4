/**
 * KL divergence of perturbed residual streams from the float model's, a chunk of the vocabulary at a time: neither the
 * head nor the logits are ever whole in memory.
 * @module
 */
import { emitHead, findParameter, type ModelDescription, outerFeeds, outerInputs } from '@awq/models'
import { Graph, int64s } from '@awq/onnx'
import { type Engine, type Session, type Tensor, tensor } from '@awq/ort'
import { type QuantSpec, roundRtn } from '@awq/quantize'
import { type Checkpoint, dequantize, readFloat32 } from '@awq/tensor'
import { sameSpec } from './plan.ts'

/** Rows of the head in a chunk, and float32 logits that a run makes at most. */
const CHUNK_ROWS = 4096
const RUN_LOGITS = 2 ** 23

/** A residual stream behind the last block, at the positions of the float one, and the head that it meets. */
export interface PerturbedStream {
  /** Copied when it is asked for. */
  readonly rows: () => Float32Array
  /** How the head is stored; null is float. */
  readonly head: QuantSpec | null
}

/** What is compared. */
export interface DivergenceOptions {
  readonly engine: Engine
  readonly description: ModelDescription
  readonly checkpoint: Checkpoint
  /** The float model's residual stream behind the last block, `[rows, hidden]`. */
  readonly reference: Float32Array
  /** What is compared with it. */
  readonly perturbed: readonly PerturbedStream[]
  readonly signal?: AbortSignal | undefined
  readonly onChunk?: ((done: number, total: number) => void) | undefined
}

/**
 * `hidden` `[streams, rows, hidden]` and `head.weight` `[chunk, hidden]` to `logits` `[streams, rows, chunk]`, their
 * `peak` (max over the chunk) and `sum` (of exp(logits - peak)); with a reference also `shift`: the sum over the chunk of
 * `probabilities` * (`reference` - logits).
 */
const emitChunk = (description: ModelDescription, against: boolean): Graph => {
  const { hiddenSize, modelType } = description.config
  const graph = new Graph(`${modelType}-${against ? 'divergence' : 'reference'}`)
  const hidden = graph.input('hidden', 'float32', ['streams', 'rows', hiddenSize])
  const logits = emitHead(graph, description, outerInputs(description, 'chunk'), hidden)
  const last = int64s(graph, [-1])
  const peak = graph.add('ReduceMax', [logits, last], { keepdims: 1 })
  const exponentials = graph.add('Exp', [graph.add('Sub', [logits, peak])])
  graph.output('peak', peak)
  graph.output('sum', graph.add('ReduceSum', [exponentials, last], { keepdims: 1 }))
  if (!against) {
    graph.output('logits', logits)
    return graph
  }
  const reference = graph.input('reference', 'float32', [1, 'rows', 'chunk'])
  const probabilities = graph.input('probabilities', 'float32', [1, 'rows', 'chunk'])
  const terms = graph.add('Mul', [probabilities, graph.add('Sub', [reference, logits])])
  graph.output('shift', graph.add('ReduceSum', [terms, last], { keepdims: 1 }))
  return graph
}

/** log(sum of exp) of each row, gathered over chunks. */
const logSums = (rows: number) => {
  const peaks = new Float64Array(rows).fill(Number.NEGATIVE_INFINITY)
  const sums = new Float64Array(rows)
  return {
    add(peak: Float32Array, sum: Float32Array, from: number): void {
      for (let i = 0; i < peak.length; i++) {
        const row = from + i
        const top = Math.max(peaks[row]!, peak[i]!)
        sums[row] = sums[row]! * Math.exp(peaks[row]! - top) + sum[i]! * Math.exp(peak[i]! - top)
        peaks[row] = top
      }
    },
    at: (row: number): number => peaks[row]! + Math.log(sums[row]!),
  }
}

/**
 * Mean over rows of KL(float || perturbed) in nats, for each perturbed stream in order:
 * KL = sum over the vocabulary of p (l - l') + log sum exp l' - log sum exp l, with l the float logits and p their
 * softmax; only differences of logits are summed, so small divergences keep their digits.
 */
export const divergences = async (options: DivergenceOptions): Promise<number[]> => {
  const { engine, description, checkpoint, reference, perturbed, signal } = options
  const { vocabSize, hiddenSize, embeddingSize } = description.config
  const rows = reference.length / hiddenSize
  const outer = await outerFeeds(checkpoint, description)
  const { headBias } = description.outer
  const head = findParameter(checkpoint, { name: description.head, shape: [vocabSize, embeddingSize] })
  const rowsAt = (start: number) =>
    readFloat32(head, { rows: [start, Math.min(vocabSize, start + CHUNK_ROWS)], signal })
  const chunks = Math.ceil(vocabSize / CHUNK_ROWS)
  const chunkFeeds = (weight: Float32Array, chunk: number): Record<string, Tensor> => {
    const count = weight.length / embeddingSize
    const bias =
      headBias && (outer[headBias]!.data as Float32Array).slice(chunk * CHUNK_ROWS, chunk * CHUNK_ROWS + count)
    return {
      ...outer,
      ...(bias ? { [headBias]: tensor('float32', [count], bias) } : {}),
      'head.weight': tensor('float32', [count, embeddingSize], weight),
    }
  }
  const data = (value: Tensor | undefined) => value!.data as Float32Array
  const referenceStream = tensor('float32', [1, rows, hiddenSize], reference)
  const plain = await engine.createSession(emitChunk(description, false).toBytes())
  let against: Session | undefined
  try {
    against = await engine.createSession(emitChunk(description, true).toBytes())
    const float = logSums(rows)
    for (let chunk = 0; chunk < chunks; chunk++) {
      const feeds = chunkFeeds(await rowsAt(chunk * CHUNK_ROWS), chunk)
      const out = await plain.run({ hidden: referenceStream, ...feeds }, { signal })
      float.add(data(out.peak), data(out.sum), 0)
      options.onChunk?.(chunk + 1, 2 * chunks)
    }
    const sums = logSums(rows * perturbed.length)
    const shifts = new Float64Array(perturbed.length)
    const perRun = Math.max(1, Math.floor(RUN_LOGITS / (rows * CHUNK_ROWS)))
    const heads = byHead(perturbed)
    for (let chunk = 0; chunk < chunks; chunk++) {
      const weight = await rowsAt(chunk * CHUNK_ROWS)
      const feeds = chunkFeeds(weight, chunk)
      const part = chunk === 0 ? description.head : `${description.head} from row ${chunk * CHUNK_ROWS} on`
      const width = weight.length / embeddingSize
      const logits = data((await plain.run({ hidden: referenceStream, ...feeds }, { signal })).logits)
      const probabilities = logits.map((value, i) => Math.exp(value - float.at(Math.floor(i / width))))
      const target = {
        reference: tensor('float32', [1, rows, width], logits),
        probabilities: tensor('float32', [1, rows, width], probabilities),
      }
      const measure = async (places: readonly number[], weights: typeof feeds) => {
        const hidden = new Float32Array(places.length * rows * hiddenSize)
        for (const [i, place] of places.entries()) hidden.set(perturbed[place]!.rows(), i * rows * hiddenSize)
        const streams = tensor('float32', [places.length, rows, hiddenSize], hidden)
        const out = await against!.run({ hidden: streams, ...weights, ...target }, { signal })
        for (const [i, place] of places.entries()) {
          const own = (values: Tensor | undefined) => data(values).subarray(i * rows, (i + 1) * rows)
          sums.add(own(out.peak), own(out.sum), place * rows)
          shifts[place] = own(out.shift).reduce((sum, value) => sum + value, shifts[place]!)
        }
      }
      for (const [spec, places] of heads) {
        const weights = spec ? chunkFeeds(rounded(weight, embeddingSize, spec, part), chunk) : feeds
        for (let first = 0; first < places.length; first += perRun)
          await measure(places.slice(first, first + perRun), weights)
      }
      options.onChunk?.(chunks + chunk + 1, 2 * chunks)
    }
    return perturbed.map((_, place) => {
      let total = shifts[place]!
      for (let row = 0; row < rows; row++) total += sums.at(place * rows + row) - float.at(row)
      return Math.max(0, total / rows)
    })
  } finally {
    await plain.dispose()
    await against?.dispose()
  }
}

/** The places of the streams that meet one head. */
const byHead = (perturbed: readonly PerturbedStream[]): Map<QuantSpec | null, number[]> => {
  const heads = new Map<QuantSpec | null, number[]>()
  for (const [place, { head }] of perturbed.entries()) {
    const known = [...heads.keys()].find((spec) => sameSpec(spec, head))
    const spec = known === undefined ? head : known
    heads.set(spec, [...(heads.get(spec) ?? []), place])
  }
  return heads
}

/** Rows of a table as a store holds them. */
export const rounded = (values: Float32Array, width: number, spec: QuantSpec, name: string): Float32Array =>
  dequantize(roundRtn(values, [values.length / width, width], spec, undefined, { name }))
