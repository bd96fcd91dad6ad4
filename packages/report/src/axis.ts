/**
 * Axes: where a value lies, and which values get a label.
 * @module
 */

/** One axis of a panel. */
export interface Axis {
  /** The position of a value between 0 (first end) and 1. */
  readonly at: (value: number) => number
  readonly ticks: readonly { readonly value: number; readonly label: string }[]
}

const clamp = (position: number): number => Math.min(1, Math.max(0, position))

/** About `count` round values from `low` to `high`: steps of 1, 2 or 5 times a power of ten. */
export const roundValues = (low: number, high: number, count: number): number[] => {
  const rough = (high - low) / count
  if (!(rough > 0) || !Number.isFinite(rough)) return [low]
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step)
}

/** Values in equal steps. */
export const linearAxis = (low: number, high: number, label: (value: number) => string, count = 4): Axis => ({
  at: (value) => clamp((value - low) / (high - low || 1)),
  ticks: roundValues(low, high, count).map((value) => ({ value, label: label(value) })),
})

/** Layers side by side, each in the middle of its place. */
export const layerAxis = (layers: number): Axis => {
  const count = Math.max(1, layers)
  const labeled = roundValues(0, count - 1, 6).filter(Number.isInteger)
  return {
    at: (layer) => clamp((layer + 0.5) / count),
    ticks: labeled.map((value) => ({ value, label: String(value) })),
  }
}

/**
 * Values in equal ratios, for positive `values`; decades are labeled, and 2 and 5 times them where there are few.
 * @param values what should lie on the axis; a few that are far below all others do not stretch it, and lie at its foot
 */
export const logAxis = (values: Iterable<number>, label: (value: number) => string): Axis => {
  const sorted = [...values].filter((value) => value > 0 && value < Number.POSITIVE_INFINITY).sort((a, b) => a - b)
  const most = sorted.at(-1)
  if (most === undefined) return { at: () => 0, ticks: [] }
  const least = Math.max(sorted[0]!, sorted[Math.floor(sorted.length * 0.03)]! / 2)
  const [low, high] = [Math.log10(least) - 0.06, Math.log10(most) + 0.06]
  const factors = high - low < 1 ? [1, 2, 3, 5, 7] : high - low < 2.2 ? [1, 2, 5] : high - low < 3.5 ? [1, 3] : [1]
  const stride = Math.max(1, Math.ceil((high - low) / 6))
  const ticks: { value: number; label: string }[] = []
  for (let power = Math.floor(low); power <= high; power++)
    for (const factor of factors) {
      const value = factor * 10 ** power
      const inside = Math.log10(value) >= low && Math.log10(value) <= high
      if (inside && power % stride === 0) ticks.push({ value, label: label(value) })
    }
  return { at: (value) => (value > 0 ? clamp((Math.log10(value) - low) / (high - low)) : 0), ticks }
}
