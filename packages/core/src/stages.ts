/**
 * Where the time of a quantization goes.
 * @module
 */

/** Seconds of one stage, all blocks together. */
export interface StageSeconds {
  /**
   * `tokenize`, `embed`, `read` (weights), `statistics` (forward pass with Gram matrices), the passes by their names
   * (`scale`, `clip`, `rtn`, `gptq`; `drift` and `compensate` for errors before), `forward` (of quantized blocks), `record`, `write`, `tables`,
   * `evaluate` (what `measure` asks for), `export` (other formats); `other` is what is left.
   */
  readonly stage: string
  readonly seconds: number
}

/** Stages that are waited for one after the other; work that goes on beside them is not counted. */
export interface StageClock {
  /** Runs `work` and books the time that it took, also when it fails; less that of stages within it. */
  time<T>(stage: string, work: () => Promise<T>): Promise<T>
  /** Books seconds measured elsewhere. */
  add(stage: string, seconds: number): void
  /** The stages in the order in which they first came. */
  seconds(): StageSeconds[]
}

/** A clock without stages. @param now milliseconds that only grow */
export const stageClock = (now: () => number = () => performance.now()): StageClock => {
  const spent = new Map<string, number>()
  const add = (stage: string, seconds: number): void => {
    spent.set(stage, (spent.get(stage) ?? 0) + seconds)
  }
  let inner = 0
  return {
    add,
    async time(stage, work) {
      const started = now()
      const outside = inner
      inner = 0
      try {
        return await work()
      } finally {
        const seconds = (now() - started) / 1000
        add(stage, seconds - inner)
        inner = outside + seconds
      }
    },
    seconds: () => [...spent].map(([stage, seconds]) => ({ stage, seconds })),
  }
}

/** The sum of stages, in seconds. */
export const totalSeconds = (stages: readonly StageSeconds[]): number =>
  stages.reduce((sum, { seconds }) => sum + seconds, 0)

/** Stages with `other` behind them: what is left of `seconds`, never below zero. */
export const withOther = (stages: readonly StageSeconds[], seconds: number): StageSeconds[] => [
  ...stages,
  { stage: 'other', seconds: Math.max(0, seconds - totalSeconds(stages)) },
]
