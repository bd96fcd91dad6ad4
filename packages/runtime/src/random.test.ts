import { describe, expect, it } from 'vitest'
import { createRandom, randomSeed, xoshiro128 } from './random.ts'

describe('xoshiro128++', () => {
  it('gives the first outputs that the reference implementation gives for the state 1, 2, 3, 4', () => {
    const random = xoshiro128([1, 2, 3, 4])
    const first = Array.from({ length: 10 }, () => random.uint32())
    expect(first).toEqual([
      641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732, 1355841295, 495546011, 621204420,
    ])
  })

  it('refuses the state that never changes', () => {
    expect(() => xoshiro128([0, 0, 0, 0])).toThrow(/all zero/)
  })
})

describe('createRandom', () => {
  it('repeats with the same seed and differs with another, in the low and in the high word', () => {
    const draw = (seed: number) => Array.from({ length: 4 }, createRandom(seed).next)
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
    expect(draw(7)).not.toEqual(draw(7 + 2 ** 32))
  })

  it('is uniform: mean 1/2, variance 1/12, all of ten bins alike', () => {
    const random = createRandom(3)
    const count = 20_000
    const bins = new Array<number>(10).fill(0)
    let sum = 0
    let squares = 0
    for (let i = 0; i < count; i++) {
      const x = random.next()
      sum += x
      squares += x * x
      bins[Math.floor(x * 10)]!++
    }
    const mean = sum / count
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01)
    expect(Math.abs(squares / count - mean * mean - 1 / 12)).toBeLessThan(0.003)
    for (const bin of bins) expect(Math.abs(bin - count / 10)).toBeLessThan(220)
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses the seed %s', (seed) => {
    expect(() => createRandom(seed)).toThrow(/seed/)
  })

  it('offers seeds of its own', () => {
    expect(createRandom(randomSeed()).next()).toBeLessThan(1)
  })
})
