/**
 * The settings that change single logits before a token is chosen: penalties and biases.
 * @module
 */
import type { SamplingSettings } from './sampling-options.ts'

/** Changes the logits of the tokens that penalties and biases name, and of no others. */
export interface LogitChanges {
  /** Tokens that are in the context from now on. */
  see(ids: Iterable<number>): void
  /** A token of the output. */
  take(id: number): void
  /**
   * Does something with the changed logits, which are as before afterwards: they are changed in place, so that nothing of
   * the vocabulary's size is copied. Ids outside the vocabulary are ignored. In this order:
   * - x > 0 becomes x / `repetitionPenalty`, else x * `repetitionPenalty`, for every distinct token of prompt and output
   *   (Keskar et al., "CTRL", arXiv 1909.05858, section 4.1);
   * - x - n * `frequencyPenalty` - `presencePenalty` for a token that stands n > 0 times in the output (OpenAI's formula,
   *   which leaves the prompt out);
   * - x + `logitBias` of the token.
   */
  during<T>(logits: Float32Array, work: () => T): T
}

type Settings = Pick<SamplingSettings, 'repetitionPenalty' | 'presencePenalty' | 'frequencyPenalty' | 'logitBias'>

/** Changes over an empty context; undefined where the settings ask for none. */
export const createLogitChanges = (settings: Settings): LogitChanges | undefined => {
  const { repetitionPenalty, presencePenalty, frequencyPenalty, logitBias } = settings
  const repetition = repetitionPenalty !== 1
  const counted = presencePenalty !== 0 || frequencyPenalty !== 0
  if (!repetition && !counted && logitBias.size === 0) return undefined
  /** Place in the arrays below, by token. */
  const places = new Map<number, number>()
  const ids: number[] = []
  const counts: number[] = []
  const biases: number[] = []
  const inContext: boolean[] = []
  let saved = new Float32Array(0)

  const placeOf = (id: number): number => {
    let place = places.get(id)
    if (place === undefined) {
      place = ids.length
      places.set(id, place)
      ids.push(id)
      counts.push(0)
      biases.push(0)
      inContext.push(false)
    }
    return place
  }
  for (const [id, bias] of logitBias) biases[placeOf(id)] = bias

  const see = (more: Iterable<number>): void => {
    if (repetition) for (const id of more) inContext[placeOf(id)] = true
  }
  const changed = (x: number, place: number): number => {
    let y = x
    if (repetition && inContext[place]) y = x > 0 ? x / repetitionPenalty : x * repetitionPenalty
    const count = counts[place] as number
    if (count > 0) y -= count * frequencyPenalty + presencePenalty
    return y + (biases[place] as number)
  }

  return {
    see,
    take(id) {
      see([id])
      if (counted) {
        const place = placeOf(id)
        counts[place] = (counts[place] as number) + 1
      }
    },
    during(logits, work) {
      if (saved.length < ids.length) saved = new Float32Array(2 * ids.length)
      for (let place = 0; place < ids.length; place++) {
        const id = ids[place] as number
        const x = logits[id]
        if (x === undefined) continue
        saved[place] = x
        logits[id] = changed(x, place)
      }
      try {
        return work()
      } finally {
        for (let place = 0; place < ids.length; place++) {
          const id = ids[place] as number
          if (id < logits.length) logits[id] = saved[place] as number
        }
      }
    },
  }
}
