/**
 * How rotation frequencies are stretched for contexts longer than the first training's.
 * @module
 */

/** The known ways. `attentionFactor` multiplies the rotated queries and keys. */
export type RopeScaling =
  | { readonly type: 'default' }
  /** Every position is divided by `factor`. */
  | { readonly type: 'linear'; readonly factor: number }
  /** For sequences longer than `contextLength` the base grows with their length ("NTK"). */
  | { readonly type: 'dynamic'; readonly factor: number; readonly contextLength: number }
  /** Llama 3.1: long wavelengths are divided by `factor`, short ones kept, those between blended. */
  | {
      readonly type: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalContextLength: number
    }
  /** YaRN (arXiv 2309.00071): frequencies of at most `slow` turns are divided, of at least `fast` kept, a ramp between. */
  | {
      readonly type: 'yarn'
      readonly factor: number
      readonly fast: number
      readonly slow: number
      readonly originalContextLength: number
      /** Bounds of the ramp are whole numbers. */
      readonly truncate: boolean
      readonly attentionFactor: number
    }
  /** LongRoPE (arXiv 2402.13753): a divisor for each frequency, others past the original context. */
  | {
      readonly type: 'longrope'
      readonly short: readonly number[]
      readonly long: readonly number[]
      readonly originalContextLength: number
      readonly attentionFactor: number
    }

/** What a scaling does to a frequency, the base it starts from where that is another, and the factor on the result. */
export interface FrequencyScale {
  readonly scale: (frequency: number, index: number) => number
  readonly theta?: number
  readonly factor: number
}

/**
 * Which of its tables a scaling uses for a sequence of so many tokens: keys that were turned by one are of no use with
 * another.
 */
export const ropeRegime = (scaling: RopeScaling, length: number): number => {
  if (scaling.type === 'longrope') return length > scaling.originalContextLength ? 1 : 0
  return scaling.type === 'dynamic' && length > scaling.contextLength ? length : 0
}

/** The scale of frequencies for rotations of `width` elements in a sequence of `length` tokens. */
export const frequencyScale = (
  { theta, scaling }: { readonly theta: number; readonly scaling: RopeScaling },
  width: number,
  length: number,
): FrequencyScale => {
  switch (scaling.type) {
    case 'default':
      return { scale: (frequency) => frequency, factor: 1 }
    case 'linear':
      return { scale: (frequency) => frequency / scaling.factor, factor: 1 }
    case 'dynamic': {
      const { factor, contextLength } = scaling
      const grown = (factor * Math.max(length, contextLength)) / contextLength - (factor - 1)
      return { scale: (frequency) => frequency, theta: theta * grown ** (width / (width - 2)), factor: 1 }
    }
    case 'llama3':
      return { scale: (frequency) => llama3(frequency, scaling), factor: 1 }
    case 'yarn': {
      const kept = yarnRamp(scaling, theta, width)
      const scale = (frequency: number, index: number) =>
        (frequency / scaling.factor) * (1 - kept(index)) + frequency * kept(index)
      return { scale, factor: scaling.attentionFactor }
    }
    case 'longrope': {
      const divisors = length > scaling.originalContextLength ? scaling.long : scaling.short
      return { scale: (frequency, index) => frequency / divisors[index]!, factor: scaling.attentionFactor }
    }
  }
}

const llama3 = (frequency: number, scaling: RopeScaling & { type: 'llama3' }): number => {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContextLength } = scaling
  const wavelengths = (originalContextLength * frequency) / (2 * Math.PI)
  if (wavelengths < lowFrequencyFactor) return frequency / factor
  if (wavelengths > highFrequencyFactor) return frequency
  const smooth = (wavelengths - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
  return ((1 - smooth) * frequency) / factor + smooth * frequency
}

/** The share of frequency `index` that is kept, 0 to 1 (section 3.2 of the paper). */
const yarnRamp = (scaling: RopeScaling & { type: 'yarn' }, theta: number, width: number) => {
  const { fast, slow, originalContextLength, truncate } = scaling
  const place = (turns: number) =>
    (width * Math.log(originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const low = Math.max(truncate ? Math.floor(place(fast)) : place(fast), 0)
  const high = Math.min(truncate ? Math.ceil(place(slow)) : place(slow), width - 1)
  const span = high === low ? 0.001 : high - low
  return (index: number) => 1 - Math.min(1, Math.max(0, (index - low) / span))
}
