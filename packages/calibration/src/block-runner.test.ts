import { createEngine, type Tensor, zeros } from '@awq/ort'
import { expect, test } from 'vitest'
import { emptyStream, openBlockRunner, sequencesPerRun } from './block-runner.ts'
import { batch, block, weights } from './fixtures/small-block.ts'

test('a block gives the same activations with and without statistics, and statistics of every site', async () => {
  const engine = await createEngine({ threads: 1 })
  {
    await using runner = openBlockRunner(engine)
    const stream = [batch(2, 0.3), batch(1, 0.9)]
    const seen: number[] = []
    const observed = await runner.run(block, weights, stream, { observe: true, onBatch: (done) => seen.push(done) })
    const plain = await runner.run(block, weights, stream, { observe: false })
    expect(seen).toEqual([1, 2])
    expect(plain.stats.size).toBe(0)
    expect(observed.outputs.map(({ shape }) => shape)).toEqual(stream.map(({ shape }) => shape))
    plain.outputs.forEach(({ data }, i) => {
      expect([...(data as Float32Array)]).toEqual([...(observed.outputs[i]!.data as Float32Array)])
    })
    const sites = new Set(block.linears.map(({ site }) => site))
    expect(new Set(observed.stats.keys())).toEqual(sites)
    for (const { count, width, gram, meanAbs } of observed.stats.values()) {
      expect(count).toBe(15)
      // The diagonal is a mean of squares, never below the square of the mean magnitude.
      for (let i = 0; i < width; i++) expect(gram[i * width + i]!).toBeGreaterThanOrEqual(meanAbs[i]! ** 2 * 0.999)
    }
  }
  await engine.dispose()
})

test('outputs written over the stream, or not kept, are the same', async () => {
  const engine = await createEngine({ threads: 1 })
  {
    await using runner = openBlockRunner(engine)
    const stream = [batch(2, 0.3), batch(1, 0.9)]
    const fresh = await runner.run(block, weights, stream, { observe: true })
    const none = await runner.run(block, weights, stream, { observe: true, outputs: 'none' })
    expect(none.outputs).toEqual([])
    expect(none.stats).toEqual(fresh.stats)
    const seen: Tensor[] = []
    const other = await runner.run(block, weights, stream, {
      observe: false,
      outputs: stream.map(({ shape }) => zeros('float32', shape)),
    })
    expect(other.outputs).toEqual(fresh.outputs)
    const over = await runner.run(block, weights, stream, {
      observe: true,
      outputs: stream,
      onBatch: (_, output) => seen.push(output),
    })
    expect(over.outputs).toEqual(fresh.outputs)
    expect(over.stats).toEqual(fresh.stats)
    over.outputs.forEach((output, i) => {
      expect(output).toBe(stream[i])
      expect(seen[i]).toBe(output)
    })
  }
  await engine.dispose()
})

test('an empty stream has room for every sequence, in full batches but the last', () => {
  expect(sequencesPerRun(256)).toBe(2)
  expect(sequencesPerRun(5000)).toBe(1)
  expect(emptyStream(5, 256, 8).map(({ shape }) => shape)).toEqual([
    [2, 256, 8],
    [2, 256, 8],
    [1, 256, 8],
  ])
})
