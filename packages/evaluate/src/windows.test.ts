import { describe, expect, it } from 'vitest'
import { cutWindows } from './windows.ts'

const tokens = (count: number) => Int32Array.from({ length: count }, (_, i) => i)

describe('cutWindows', () => {
  it('cuts side by side and drops the incomplete last window', () => {
    const windows = cutWindows(tokens(11), { window: 4, contextLength: 100 })
    expect(windows).toMatchObject({ length: 4, count: 2, warnings: [] })
    expect([...windows.at(1)]).toEqual([4, 5, 6, 7])
  })

  it('takes no more than maxWindows', () => {
    expect(cutWindows(tokens(100), { window: 4, maxWindows: 3, contextLength: 100 }).count).toBe(3)
  })

  it('clamps to the context and says so', () => {
    const windows = cutWindows(tokens(100), { window: 2048, contextLength: 32 })
    expect(windows).toMatchObject({ length: 32, count: 3 })
    expect(windows.warnings).toEqual([expect.stringMatching(/2048.*32/)])
  })

  it('makes one shorter window of a short text and says so', () => {
    const windows = cutWindows(tokens(7), { window: 16, contextLength: 32 })
    expect(windows).toMatchObject({ length: 7, count: 1 })
    expect(windows.warnings).toEqual([expect.stringMatching(/7 tokens/)])
  })

  it.each([
    [0, 8, 1, /0 tokens/],
    [1, 8, 1, /1 tokens/],
    [9, 1, 1, /window/],
    [9, 2.5, 1, /window/],
    [9, 4, 0, /maxWindows/],
  ])('refuses %i tokens with window %d and maxWindows %d', (count, window, maxWindows, message) => {
    expect(() => cutWindows(tokens(count), { window, maxWindows, contextLength: 32 })).toThrow(message)
  })
})
