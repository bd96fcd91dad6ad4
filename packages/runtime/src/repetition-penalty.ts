/** Lowers the logits of tokens that stand in the context already. */
export interface RepetitionPenalty {
  /** Tokens that are in the context from now on. */
  see(ids: Iterable<number>): void
  /**
   * Does something with the changed logits: x > 0 becomes x / penalty, else x * penalty, once for every distinct token
   * seen (Keskar et al., "CTRL", arXiv 1909.05858, section 4.1). They are changed in place, so that nothing of the
   * vocabulary's size is copied, and are as before afterwards. Ids outside the vocabulary are ignored.
   */
  during<T>(logits: Float32Array, work: () => T): T
}

/** A penalty over an empty context. */
export const createRepetitionPenalty = (penalty: number): RepetitionPenalty => {
  const seen = new Set<number>()
  const ids: number[] = []
  let saved = new Float32Array(0)
  return {
    see(more) {
      for (const id of more) {
        if (seen.has(id)) continue
        seen.add(id)
        ids.push(id)
      }
    },
    during(logits, work) {
      if (saved.length < ids.length) saved = new Float32Array(2 * ids.length)
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i] as number
        const x = logits[id]
        if (x === undefined) continue
        saved[i] = x
        logits[id] = x > 0 ? x / penalty : x * penalty
      }
      try {
        return work()
      } finally {
        for (let i = 0; i < ids.length; i++) {
          const id = ids[i] as number
          if (id < logits.length) logits[id] = saved[i] as number
        }
      }
    },
  }
}
