import { describeModel } from '@awq/models'
import { createEngine, type Tensor, tensor } from '@awq/ort'
import { expect, test } from 'vitest'
import { openBlockRunner, restoreStream } from './block-runner.ts'

const description = describeModel({
  model_type: 'llama',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 8,
})
const wave = (count: number, seed: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * 1.7))
const weights = new Map(
  description.blockParameters.map(({ name, shape }, i) => [
    name,
    wave(
      shape.reduce((a, b) => a * b, 1),
      i,
    ),
  ]),
)
const batch = (blocks: number, seed: number): Tensor => tensor('float32', [blocks, 5, 16], wave(blocks * 80, seed))

test('a block gives the same activations with and without statistics, and statistics of every site', async () => {
  const engine = await createEngine({ threads: 1 })
  {
    await using runner = openBlockRunner(engine, description)
    const stream = [batch(2, 0.3), batch(1, 0.9)]
    const seen: number[] = []
    const observed = await runner.run(weights, stream, { observe: true, onBatch: (done) => seen.push(done) })
    const plain = await runner.run(weights, stream, { observe: false })
    expect(seen).toEqual([1, 2])
    expect(plain.stats.size).toBe(0)
    expect(observed.outputs.map(({ shape }) => shape)).toEqual(stream.map(({ shape }) => shape))
    plain.outputs.forEach(({ data }, i) => {
      expect([...(data as Float32Array)]).toEqual([...(observed.outputs[i]!.data as Float32Array)])
    })
    const sites = new Set(description.linears.map(({ site }) => site))
    expect(new Set(observed.stats.keys())).toEqual(sites)
    for (const { count, width, gram, meanAbs } of observed.stats.values()) {
      expect(count).toBe(15)
      // The diagonal is a mean of squares, never below the square of the mean magnitude.
      for (let i = 0; i < width; i++) expect(gram[i * width + i]!).toBeGreaterThanOrEqual(meanAbs[i]! ** 2 * 0.999)
    }
  }
  await engine.dispose()
})

test('a saved stream comes back in its batches', () => {
  const like = [batch(2, 1), batch(1, 2)]
  const flat = Float32Array.from(like.flatMap(({ data }) => [...(data as Float32Array)]))
  const restored = restoreStream(flat, like)
  expect(restored.map(({ shape, data }) => [shape, [...(data as Float32Array)]])).toEqual(
    like.map(({ shape, data }) => [shape, [...(data as Float32Array)]]),
  )
})
