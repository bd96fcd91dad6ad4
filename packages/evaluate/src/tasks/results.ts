/**
 * What a task came to: items, their means, and how far two models agree.
 * @module
 */
import type { Task } from './task.ts'

/** One item, answered. */
export interface ItemResult {
  readonly id: string
  /** Right or wrong by name of the score; empty where nothing was judged. */
  readonly scores: Readonly<Record<string, boolean>>
  /** What two models are compared by: the answer, or the most probable tokens at the target. */
  readonly answer: string
  /** Token ids: of the output, or the most probable ones at the target. */
  readonly ids: readonly number[]
  /** The whole output of a generation. */
  readonly output?: string
  /** Of a target: its negative log-likelihood, all its tokens together, in nats. */
  readonly nll?: number
  /** Why it is wrong. */
  readonly message?: string | undefined
}

/** What runs of items share. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined
  /** Told how many items' work is done, whole items, never fewer than before. */
  readonly onItems?: ((done: number) => void) | undefined
}

/** A model's figures on a task. */
export interface TaskScores {
  readonly count: number
  /** Share of right items by the task's first score; absent where nothing was judged. */
  readonly accuracy?: number
  /** sqrt(p (1 - p) / (n - 1)) of the accuracy p over n items; absent for a single item. */
  readonly standardError?: number
  /** Share of right items by name of the score. */
  readonly scores: Readonly<Record<string, number>>
  /** Of targets: exp of the mean over items of the target's negative log-likelihood. */
  readonly perplexity?: number
}

/** How far two models' greedy answers agree. */
export interface TaskAgreement {
  /** Share of items with the same answer. */
  readonly agreement: number
  /** Share of items with the same tokens from first to last. */
  readonly sameTokens: number
  /** Mean over items of the share of the reference's tokens before the first that differs. */
  readonly sharedTokens: number
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

/** Means of a model's results, at least one. */
export const scoresOf = (task: Task, items: readonly ItemResult[]): TaskScores => {
  const scores: Record<string, number> = {}
  for (const name of task.scores) {
    const judged = items.flatMap((item) => (name in item.scores ? [Number(item.scores[name])] : []))
    if (judged.length === items.length) scores[name] = mean(judged)
  }
  const count = items.length
  const accuracy = scores[task.scores[0]]
  const nll = items.flatMap((item) => (item.nll === undefined ? [] : [item.nll]))
  return {
    count,
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(accuracy === undefined || count < 2
      ? {}
      : { standardError: Math.sqrt((accuracy * (1 - accuracy)) / (count - 1)) }),
    scores,
    ...(nll.length === count ? { perplexity: Math.exp(mean(nll)) } : {}),
  }
}

/** Agreement of two models' results on the same items, at least one. */
export const agreementOf = (items: readonly ItemResult[], reference: readonly ItemResult[]): TaskAgreement => {
  const pairs = items.map((item, i) => [item, reference[i] as ItemResult] as const)
  const share = (same: (a: ItemResult, b: ItemResult) => number) => mean(pairs.map(([a, b]) => same(a, b)))
  return {
    agreement: share((a, b) => Number(a.answer === b.answer)),
    sameTokens: share((a, b) => Number(a.ids.length === b.ids.length && sharedLength(a.ids, b.ids) === b.ids.length)),
    sharedTokens: share((a, b) =>
      b.ids.length === 0 ? Number(a.ids.length === 0) : sharedLength(a.ids, b.ids) / b.ids.length,
    ),
  }
}

const sharedLength = (a: readonly number[], b: readonly number[]): number => {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}
