import { Graph } from '@awq/onnx'
import { createEngine, type DeviceTensor, type Engine, type Tensor, tensor } from '@awq/ort'
import { describe, expect, it } from 'vitest'
import { bucket, type CacheOptions, copyRows, createCache, type KeyValueCache } from './cache.ts'

const shapes = [
  { kvHeads: 3, headDim: 4 },
  { kvHeads: 3, headDim: 4 },
]

/** New rows `[1, kvHeads, count, headDim]` whose values tell layer, kind, head, position and element. */
const rows = (first: number, count: number) =>
  Object.fromEntries(
    ['0.key', '0.value', '1.key', '1.value'].map((name, which) => {
      const data = new Float32Array(3 * count * 4)
      for (let i = 0; i < data.length; i++)
        data[i] = valueAt(which, Math.floor(i / (count * 4)), first + (Math.floor(i / 4) % count), i % 4)
      return [`present.${name}`, tensor('float32', [1, 3, count, 4], data)]
    }),
  )
const valueAt = (which: number, head: number, position: number, element: number) =>
  which * 1e6 + head * 1e5 + position * 10 + element + 1

type Buffers = KeyValueCache['past']
const dataOf = (buffers: Buffers, name: string) => (buffers[name] as Tensor).data as Float32Array

const expectFilled = (past: Buffers, length: number) => {
  for (const [which, name] of ['0.key', '0.value', '1.key', '1.value'].entries()) {
    const data = dataOf(past, `past.${name}`)
    const slots = past[`past.${name}`]!.shape[2]!
    for (let head = 0; head < 3; head++) {
      for (let position = 0; position < length; position++) {
        expect(data[(head * slots + position) * 4 + 2]).toBe(valueAt(which, head, position, 2))
      }
    }
  }
}

describe('createCache, plain', () => {
  const plain = () => createCache(shapes, { form: 'plain', contextLength: 2000 })

  /** A run of `count` tokens: the new rows are its outputs. */
  const run = async (cache: KeyValueCache, count: number) => {
    await cache.reserve(count)
    const targets = cache.targets(count)
    for (const [name, { data }] of Object.entries(rows(cache.length, count)))
      dataOf(targets, name).set(data as Float32Array)
    await cache.append(targets, count)
  }

  it('starts without slots, copies new rows in, and grows by buckets without losing any', async () => {
    const cache = plain()
    await cache.reserve(5)
    expect(cache.past['past.0.key']!.shape).toEqual([1, 3, 0, 4])
    let length = 0
    for (const count of [5, 1, bucket - 6, 1, 2 * bucket]) {
      await run(cache, count)
      length += count
      expect(cache.length).toBe(length)
      expect(cache.capacity).toBe(Math.ceil(length / bucket) * bucket)
      expectFilled(cache.past, length)
    }
  })

  it('goes on after a cut as if the forgotten tokens had not been', async () => {
    const cache = plain()
    await run(cache, 300)
    cache.truncate(100)
    expect(cache.length).toBe(100)
    await run(cache, 7)
    expectFilled(cache.past, 107)
    expect(() => cache.truncate(108)).toThrow('cut to 108')
    expect(() => cache.truncate(-1)).toThrow('cut to -1')
  })
})

describe('createCache, fused', () => {
  const fused = (changes: Partial<CacheOptions> = {}) =>
    createCache(shapes, { form: 'fused', contextLength: 2000, ...changes })

  /** A run of `count` tokens: it writes into the slots after the past. */
  const run = async (cache: KeyValueCache, count: number) => {
    await cache.reserve(count)
    const targets = cache.targets(count)
    for (const [name, { data }] of Object.entries(rows(cache.length, count)))
      copyRows(data as Float32Array, count, dataOf(targets, name), cache.capacity, cache.length, count, 3, 4)
    await cache.append(targets, count)
  }

  it('has room for the new tokens before the run, and gives the same buffers as past and present', async () => {
    const cache = fused()
    await cache.reserve(bucket)
    expect(cache.capacity).toBe(bucket)
    const targets = cache.targets(1)
    expect(Object.keys(targets)).toEqual(['present.0.key', 'present.0.value', 'present.1.key', 'present.1.value'])
    expect(targets['present.1.key']).toBe(cache.past['past.1.key'])
  })

  it('keeps what runs wrote when it grows, by twofold, and no further than the context', async () => {
    const cache = fused({ contextLength: 1000 })
    const capacities: number[] = []
    for (const count of [bucket, 1, 2 * bucket, 1000 - 3 * bucket - 1]) {
      await run(cache, count)
      capacities.push(cache.capacity)
      expectFilled(cache.past, cache.length)
    }
    expect(capacities).toEqual([bucket, 2 * bucket, 1000, 1000])
  })

  it('has the same buffers until it must grow, and room at once for what is expected', async () => {
    const cache = fused({ expected: 700 })
    await run(cache, 1)
    const { past } = cache
    expect(cache.capacity).toBe(3 * bucket)
    await run(cache, 3 * bucket - 1)
    expect(cache.past).toBe(past)
    await run(cache, 1)
    expect(cache.past).not.toBe(past)
  })

  it('holds float16 as bits', async () => {
    const cache = fused({ dtype: 'float16' })
    await cache.reserve(1)
    expect(cache.past['past.0.key']).toMatchObject({ dtype: 'float16', data: expect.any(Uint16Array) })
  })

  it('says when there is no memory for it, and is as it was', async () => {
    const cache = createCache([{ kvHeads: 1, headDim: 2 ** 20 }], { form: 'fused', contextLength: 2 ** 30 })
    await expect(cache.reserve(2 ** 29)).rejects.toThrow(/no memory for a cache of 536870912 tokens/)
    expect(cache.capacity).toBe(0)
  })
})

it('a cache on a device is copied there when it grows', async () => {
  await using engine = await disposable(createEngine({ threads: 1 }))
  const cache = createCache(shapes, { form: 'fused', contextLength: 2000, device: engine })
  await cache.reserve(1)
  const first = cache.past['past.1.value'] as DeviceTensor
  const graph = new Graph('fill')
  const x = graph.input('x', 'float32', [1, 3, bucket, 4])
  graph.output('y', graph.add('Identity', [x]))
  await using session = await engine.createSession(graph.toBytes())
  const values = Float32Array.from({ length: 3 * bucket * 4 }, (_, i) => i)
  await session.run({ x: tensor('float32', [1, 3, bucket, 4], values) }, { into: { y: first } })
  await cache.append(cache.targets(bucket), bucket)
  await cache.reserve(1)
  const grown = await (cache.past['past.1.value'] as DeviceTensor).read()
  expect(grown.shape).toEqual([1, 3, 2 * bucket, 4])
  for (let head = 0; head < 3; head++) {
    const at = head * 2 * bucket * 4
    expect(grown.data.slice(at, at + bucket * 4)).toEqual(values.slice(head * bucket * 4, (head + 1) * bucket * 4))
  }
  await expect(first.read()).rejects.toThrow('disposed')
  cache.dispose()
})

const disposable = async (made: Promise<Engine>) => {
  const engine = await made
  return Object.assign(engine, { [Symbol.asyncDispose]: () => engine.dispose() })
}
