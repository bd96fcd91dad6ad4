/** What is measured in a page. */
export interface Figures {
  readonly loadSeconds: number
  /** Until the first token: the prompt. */
  readonly promptSeconds: number
  /** Of the tokens after the first. */
  readonly tokensPerSecond: number
  readonly ids: readonly number[]
  readonly heapBytes?: number | undefined
  readonly threads?: number | undefined
}

/** What a page is asked for. */
export interface Job {
  /** Where the model's folder is served. */
  readonly url: string
  readonly device: 'cpu' | 'webgpu'
  readonly accuracy: 'exact' | 'fast'
  readonly worker: boolean
  readonly prompt: string
  readonly tokens: number
}

export const figuresOf = ({ times, ids, start }: { times: number[]; ids: number[]; start: number }) => ({
  promptSeconds: (times[0]! - start) / 1000,
  tokensPerSecond: ((times.length - 1) / (times.at(-1)! - times[0]!)) * 1000,
  ids,
})
