/**
 * One generation's place in a batch: the tokens it was given, and what it waits for.
 * @module
 */
import type { Conversation } from '../token-model.ts'

type Extension = Parameters<Conversation['extend']>[1]

/** Tokens that are to be run. */
export interface Pending {
  /** Index of the first of them among the job's tokens. */
  readonly from: number
  readonly logits: 'last' | 'all'
  readonly signal: AbortSignal | undefined
  /** The logits after each token, where they come of several runs. */
  rows?: Float32Array
  readonly resolve: (logits: Float32Array) => void
  readonly reject: (reason: unknown) => void
}

/** A generation in a batch. */
export interface Job {
  /** All tokens that it was given, those included that are to be run. */
  readonly ids: number[]
  /** Tokens that it may come to. */
  readonly most: number
  /** Order of arrival. */
  readonly turn: number
  /** Where its tokens are; undefined while it waits for a place. */
  slot: number | undefined
  /** Tokens that it has memory for. */
  reserved: number
  /** Tokens of its first extension that came from another cache. */
  reused: number
  pending: Pending | undefined
  closed: boolean
}

/** A job without tokens. */
export const createJob = (turn: number, most: number): Job => ({
  ids: [],
  most,
  turn,
  slot: undefined,
  reserved: 0,
  reused: 0,
  pending: undefined,
  closed: false,
})

/**
 * Gives a job tokens to run; the promise is settled by what `pending` has. `onAbort` is called when the signal is aborted
 * while they wait.
 */
export const giveTokens = (
  job: Job,
  ids: readonly number[],
  { signal, logits = 'last' }: Extension,
  onAbort: () => void,
): Promise<Float32Array> =>
  new Promise((resolve, reject) => {
    const done = (): void => {
      signal?.removeEventListener('abort', onAbort)
      job.pending = undefined
    }
    const from = job.ids.length
    for (const id of ids) job.ids.push(id)
    job.pending = {
      from,
      logits,
      signal,
      resolve(values) {
        done()
        resolve(values)
      },
      reject(reason) {
        done()
        reject(reason)
      },
    }
    signal?.addEventListener('abort', onAbort)
  })

/** Ends the wait of a job without logits: of its tokens those stay that were run. */
export const failJob = (job: Job, reason: unknown, cached: number): void => {
  const { pending } = job
  if (!pending) return
  job.ids.length = Math.max(pending.from, Math.min(cached, job.ids.length))
  pending.reject(reason)
}
