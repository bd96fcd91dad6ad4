/**
 * A random decoder ready to be timed.
 * @module
 */
import { type BoundRun, type Engine, type Tensor, tensor, zeros } from '@awq/ort'
import { cacheType, cacheWidth, type DecoderForm, randomDecoder, type Sizes } from './decoder-graph.ts'

/** One loaded decoder with its cache. Times are milliseconds. */
export interface DecoderRun {
  /** Bytes of weights that one step reads. */
  readonly bytes: number
  /** Time of loading the graph. */
  readonly load: number
  /** The mean time of `steps` steps of one token after `past` tokens. */
  step(past: number, steps: number): Promise<number>
  /** The time of a prompt in chunks. */
  prefill(tokens: number, chunk: number): Promise<number>
  dispose(): Promise<void>
}

/** Loads a random decoder whose cache holds `capacity` tokens. */
export async function openDecoder(
  engine: Engine,
  sizes: Sizes,
  form: DecoderForm,
  capacity: number,
): Promise<DecoderRun> {
  const { model, files, bytes } = randomDecoder(sizes, form, capacity)
  const begun = performance.now()
  const session = await engine.createSession(model, { externalData: files })
  const load = performance.now() - begun
  const past: Record<string, Tensor> = {}
  const present: Record<string, Tensor> = { logits: zeros('float32', [1, 1, sizes.vocabulary]) }
  for (let layer = 0; layer < sizes.layers; layer++) {
    for (const kind of ['key', 'value']) {
      const shape = [1, sizes.kvHeads, capacity, cacheWidth(sizes, form)]
      const made = zeros(cacheType(form), shape)
      // Some numbers like a model's: about 1 in float, spread over the codes in the others.
      made.data.forEach((_: unknown, i: number) => {
        made.data[i] = form.cache === 'float32' ? ((i * 7919) % 64) / 32 - 1 : (i * 7919) % 120
      })
      if (form.cache === 'float16') (made.data as Uint16Array).fill(0x3800)
      past[`past.${layer}.${kind}`] = made
      present[`present.${layer}.${kind}`] = made
    }
  }
  const last = new Int32Array(1)
  const total = new Int32Array(1)
  const bound = new Map<number, BoundRun>()
  const run = async (start: number, length: number): Promise<void> => {
    const feeds = {
      ids: tensor('int64', [1, length], new BigInt64Array(length).fill(5n)),
      last: tensor('int32', [1], last),
      total: tensor('int32', [], total),
      ...past,
    }
    const prepared = bound.get(length) ?? session.bind(feeds, { into: present })
    bound.set(length, prepared)
    last[0] = start + length - 1
    total[0] = start + length
    await prepared.run()
  }
  await run(0, 1)
  return {
    bytes,
    load,
    async step(start, steps) {
      for (let i = 0; i < 3; i++) await run(start + i, 1)
      const from = performance.now()
      for (let i = 0; i < steps; i++) await run(start + 3 + i, 1)
      return (performance.now() - from) / steps
    },
    async prefill(tokens, chunk) {
      const from = performance.now()
      for (let at = 0; at < tokens; at += chunk) await run(at, Math.min(chunk, tokens - at))
      return performance.now() - from
    },
    async dispose() {
      for (const prepared of bound.values()) prepared.dispose()
      await session.dispose()
    },
  }
}
