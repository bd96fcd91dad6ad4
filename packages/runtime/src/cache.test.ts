import { tensor } from '@awq/ort'
import { describe, expect, it } from 'vitest'
import { bucket, createCache } from './cache.ts'

const config = { layers: 2, kvHeads: 3, headDim: 4 }

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

const expectFilled = (feeds: Record<string, { data: unknown; shape: readonly number[] }>, length: number) => {
  for (const [which, name] of ['0.key', '0.value', '1.key', '1.value'].entries()) {
    const { data, shape } = feeds[`past.${name}`]!
    const slots = shape[2]!
    for (let head = 0; head < 3; head++) {
      for (let position = 0; position < length; position++) {
        expect((data as Float32Array)[(head * slots + position) * 4 + 2]).toBe(valueAt(which, head, position, 2))
      }
    }
  }
}

describe('createCache, plain', () => {
  it('starts without slots, copies new rows in, and grows by buckets without losing any', () => {
    const cache = createCache(config, 'plain')
    expect(cache.feeds(5)['past.0.key']!.shape).toEqual([1, 3, 0, 4])
    expect(cache.targets()).toEqual({})
    let length = 0
    for (const count of [5, 1, bucket - 6, 1, 2 * bucket]) {
      cache.feeds(count)
      cache.append(rows(length, count), count)
      length += count
      expect(cache.length).toBe(length)
      expect(cache.capacity).toBe(Math.ceil(length / bucket) * bucket)
      expectFilled(cache.feeds(1), length)
    }
  })
})

describe('createCache, fused', () => {
  it('has room for the new tokens before the run, and gives the same buffers as past and present', () => {
    const cache = createCache(config, 'fused')
    const feeds = cache.feeds(bucket)
    expect(cache.capacity).toBe(bucket)
    const targets = cache.targets()
    expect(Object.keys(targets)).toEqual(['present.0.key', 'present.0.value', 'present.1.key', 'present.1.value'])
    expect(targets['present.1.key']!.data).toBe(feeds['past.1.key']!.data)
    cache.append({}, bucket)
    expect(cache.feeds(1)['past.0.key']!.shape).toEqual([1, 3, 2 * bucket, 4])
  })

  it('keeps what a run wrote when it grows', () => {
    const cache = createCache(config, 'fused')
    cache.feeds(2)
    for (const [name, { data }] of Object.entries(rows(0, 2))) {
      const target = cache.targets()[name]!.data as Float32Array
      for (let head = 0; head < 3; head++)
        target.set((data as Float32Array).subarray(head * 8, head * 8 + 8), head * bucket * 4)
    }
    cache.append({}, 2)
    const grown = cache.feeds(bucket)
    expect(grown['past.0.key']!.shape[2]).toBe(2 * bucket)
    expectFilled(grown, 2)
  })
})
