import { Graph } from '@awq/onnx'
import { createEngine, type Engine, tensor } from '@awq/ort'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAccumulator } from './accumulator.ts'
import { collectStats } from './collect.ts'
import { gramBlocks, gramPieces } from './layout.ts'
import { observeStats } from './observe.ts'

let engine: Engine
beforeAll(async () => {
  engine = await createEngine({ threads: 1 })
})
afterAll(() => engine.dispose())

/** Numbers in -1..1 that depend only on the seed. */
function noise(length: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

function referenceGram(x: Float32Array, width: number): Float64Array {
  const tokens = x.length / width
  const gram = new Float64Array(width * width)
  for (let t = 0; t < tokens; t++) {
    for (let i = 0; i < width; i++) {
      const own = x[t * width + i]! / tokens
      for (let j = 0; j < width; j++) gram[i * width + j]! += own * x[t * width + j]!
    }
  }
  return gram
}

describe('gramBlocks', () => {
  it.each([1, 15, 16, 191, 192, 384, 576, 1000, 1536, 3072, 4097, 14336])(
    'cover the lower triangle of width %i once',
    (width) => {
      const pieces = gramPieces(width)
      expect(pieces[0]!.start).toBe(0)
      expect(pieces.at(-1)!.end).toBe(width)
      expect(pieces.length).toBeLessThanOrEqual(8)
      pieces.forEach(({ start, end }, index) => {
        expect(end).toBeGreaterThan(start)
        if (index > 0) expect(start).toBe(pieces[index - 1]!.end)
      })
      const blocks = gramBlocks(width)
      expect(new Set(blocks.map(({ row, column }) => `${row} ${column}`)).size).toBe(blocks.length)
      expect(blocks.length).toBe((pieces.length * (pieces.length + 1)) / 2)
      for (const { row, column, rows, columns } of blocks) {
        expect(column).toBeLessThanOrEqual(row)
        expect([rows, columns]).toEqual([pieces[row], pieces[column]])
      }
    },
  )
})

describe('observeStats', () => {
  it.each([8, 257, 500])('gives the statistics of a width of %i by their definition', async (width) => {
    const x = noise(40 * width, width)
    const stats = await collectStats(engine, x, width)
    const gram = referenceGram(x, width)
    expect(stats.count).toBe(40)
    expect(stats.sample).toEqual(x)
    stats.gram.forEach((value, at) => {
      if (Math.abs(value - gram[at]!) > 1e-5) throw new Error(`gram[${at}] is ${value}, not ${gram[at]}`)
    })
    for (let i = 0; i < width; i++) {
      const column = Array.from({ length: 40 }, (_, t) => Math.abs(x[t * width + i]!))
      expect(stats.maxAbs[i]).toBe(Math.max(...column))
      expect(stats.meanAbs[i]).toBeCloseTo(column.reduce((a, b) => a + b) / 40, 5)
    }
  })

  it.each([false, true])('adds up over runs of several sites (buffers in turns: %s)', async (inPlace) => {
    const graph = new Graph('two-sites')
    const x = graph.input('x', 'float32', ['batch', 'sequence', 4])
    observeStats(graph, 'first', x)
    observeStats(graph, 'second', graph.add('Mul', [x, graph.constant('float32', [], [2])]))
    const session = await engine.createSession(graph.toBytes())
    const sites = ['first', 'second'].map((site) => ({ site, width: 4 }))
    const accumulator = createAccumulator(sites, { totalTokens: 18, sampleRows: 5, inPlace })
    const runs = [noise(2 * 3 * 4, 1), noise(2 * 3 * 4, 2), noise(2 * 3 * 4, 3)]
    for (const run of runs) {
      const step = accumulator.step(6)
      const feeds = { ...step.feeds, x: tensor('float32', [2, 3, 4], run) }
      step.commit(await session.run(feeds, { into: step.into, fetch: accumulator.outputNames }))
    }
    await session.dispose()
    const result = accumulator.finish()
    const all = Float32Array.from(runs.flatMap((run) => [...run]))
    const whole = await collectStats(engine, all, 4)
    const first = result.get('first')!
    expect(first.count).toBe(18)
    first.gram.forEach((value, at) => {
      expect(value).toBeCloseTo(whole.gram[at]!, 6)
      expect(result.get('second')!.gram[at]).toBeCloseTo(4 * value, 5)
    })
    expect(first.maxAbs).toEqual(whole.maxAbs)
    // Every fourth of 18 tokens.
    expect(first.sample).toEqual(
      Float32Array.from([0, 4, 8, 12, 16].flatMap((t) => [...all.subarray(t * 4, t * 4 + 4)])),
    )
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'names the site of an activation of %d',
    async (value) => {
      const x = noise(12, 5)
      x[6] = value
      await expect(collectStats(engine, x, 4, { name: 'mlp.down' })).rejects.toMatchObject({
        code: 'NUMERIC',
        message: expect.stringMatching(/'mlp\.down'.*channel 2/s),
      })
    },
  )

  it('names the site whose squares overflow', async () => {
    const x = noise(12, 5)
    x[6] = 1e30
    await expect(collectStats(engine, x, 4, { name: 'mlp.down' })).rejects.toThrow(/'mlp\.down' exceed float32/)
  })

  it('refuses activations of unknown width', () => {
    const graph = new Graph('unknown')
    const x = graph.input('x', 'float32', ['tokens', 'width'])
    expect(() => observeStats(graph, 'site', x)).toThrow(/known width/)
  })

  it('refuses to finish before any run, and outputs that lack a sum', () => {
    const accumulator = createAccumulator([{ site: 'a', width: 4 }], { totalTokens: 8 })
    expect(() => accumulator.finish()).toThrow(/no calibration run/)
    expect(() => accumulator.step(4).commit({})).toThrow(/did not fetch 'stats\.a/)
  })
})
