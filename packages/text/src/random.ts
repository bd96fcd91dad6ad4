/**
 * A seeded generator of integers in [0, bound): mulberry32 (a 32-bit counter with step 0x6D2B79F5 and a multiply-xorshift
 * finisher; Ettinger, 2017, public domain), reduced by multiplication. The same seed gives the same numbers everywhere.
 */
export function seededIntegers(seed: number): (bound: number) => number {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    const unit = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    return Math.floor(unit * bound)
  }
}

/** A shuffled copy (Fisher-Yates from the end), the same for the same seed. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items]
  const below = seededIntegers(seed)
  for (let i = result.length - 1; i > 0; i--) {
    const j = below(i + 1)
    const item = result[i] as T
    result[i] = result[j] as T
    result[j] = item
  }
  return result
}
