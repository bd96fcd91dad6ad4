// What every peer is asked to do and what it answers: the same job on standard input, one line of JSON on standard output.
import { readFileSync } from 'node:fs'

export interface Job {
  /** The model's file or folder, in the peer's own format. */
  readonly model: string
  readonly threads: number
  /** Lengths of the prompts before the timed tokens. */
  readonly contexts: readonly number[]
  /** Tokens timed after each prompt. */
  readonly generate: number
  /** Length of the prompt whose processing is timed. */
  readonly prefill: number
  /** Times that each figure is taken; the answer is the median. */
  readonly repeats: number
  /** Token ids to take prompts from: nobody tokenizes. */
  readonly prompt: readonly number[]
  /** llama.cpp's flash attention. */
  readonly flash?: boolean
  /** Where the peers are installed. */
  readonly peers: string
}

/** The answer, in the form of `awq bench --json`. */
export interface Figures {
  readonly decode: readonly { readonly context: number; readonly tokensPerSecond: number }[]
  readonly prefill: { readonly tokens: number; readonly tokensPerSecond: number }
  readonly loadSeconds: number
  readonly peakRssBytes: number
}

/** A loaded model. Both calls start from an empty cache and resolve to seconds. */
export interface Runner {
  /** Processes the prompt up to the first token that follows it. */
  prefill(prompt: readonly number[]): Promise<number>
  /** Processes the prompt untimed, then times `count` further tokens, each taken greedily from the one before. */
  decode(prompt: readonly number[], count: number): Promise<number>
}

export const readJob = (): Job => JSON.parse(readFileSync(0, 'utf8')) as Job

/** The middle value, or the upper one of two. */
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Warms up, takes every figure of the job and prints the answer. */
export const answer = async (job: Job, loadSeconds: number, runner: Runner): Promise<void> => {
  const repeat = async (work: () => Promise<number>): Promise<number> => {
    const seconds: number[] = []
    for (let i = 0; i < job.repeats; i++) seconds.push(await work())
    return median(seconds)
  }
  const prompt = (length: number) => job.prompt.slice(0, length)
  await runner.decode(prompt(32), 4)
  const prefill = await repeat(() => runner.prefill(prompt(job.prefill)))
  const decode = []
  for (const context of job.contexts) {
    const seconds = await repeat(() => runner.decode(prompt(context), job.generate))
    decode.push({ context, tokensPerSecond: job.generate / seconds })
  }
  const figures: Figures = {
    decode,
    prefill: { tokens: job.prefill, tokensPerSecond: job.prefill / prefill },
    loadSeconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
  console.log(JSON.stringify(figures))
}

/** Seconds since an earlier `performance.now()`. */
export const secondsSince = (start: number): number => (performance.now() - start) / 1000
