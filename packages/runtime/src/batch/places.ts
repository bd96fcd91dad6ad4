/**
 * Who has which slot, and what is left in those that nobody has.
 * @module
 */
import { sharedLength } from '../conversation-pool.ts'
import type { BatchExecutor } from './executor.ts'
import type { Job } from './job.ts'

/** Tokens that are worth a copy. */
const leastShared = 8

/** A slot whose rows begin like a job's tokens. */
export interface Donor {
  readonly slot: number
  readonly shared: number
}

/** The slots of an executor. */
export interface Places {
  /** Jobs that have a slot, by slot. */
  readonly active: readonly Job[]
  /** What `reserve` is to be asked for, with other needs of one slot where one is given. */
  needs(slot?: number, tokens?: number): number[]
  /**
   * Gives a job a free slot with room for so many tokens, which is cut down to what it shares with the job; false where there
   * is no slot or no memory.
   */
  take(job: Job, tokens: number): boolean
  /** The slot from which most rows can be copied to the job's. */
  donor(job: Job): Donor | undefined
  /** Takes a job's slot away; what is in it stays for others. */
  leave(job: Job): void
  /** The lowest slot that nobody has, where it lies below `slot`. */
  holeBelow(slot: number): number | undefined
  /** Moves a job into a slot that nobody has. */
  move(job: Job, to: number): Promise<void>
}

/** How many of a job's tokens may come from a cache: at least one must run, and those whose logits are all wanted. */
const reusable = ({ ids, pending }: Job): number =>
  pending?.logits === 'all' ? Math.min(pending.from, ids.length - 1) : ids.length - 1

/** No slot has a job yet. */
export const createPlaces = (executor: BatchExecutor): Places => {
  const jobs: (Job | undefined)[] = new Array(executor.slots).fill(undefined)
  /** The tokens whose rows are in a slot: the first `executor.length` of these. */
  const contents: (readonly number[])[] = jobs.map(() => [])
  /** When each slot was left. */
  const left: number[] = jobs.map(() => 0)
  let clock = 0
  const slots = jobs.map((_, slot) => slot)

  const shared = (slot: number, job: Job): number =>
    Math.min(executor.length(slot), sharedLength(contents[slot]!, job.ids), Math.max(0, reusable(job)))

  const needs = (slot?: number, tokens = 0): number[] =>
    slots.map((at) => (at === slot ? tokens : (jobs[at]?.reserved ?? 0)))

  /** Free slots in the order in which they are to be taken. */
  const candidates = (job: Job): number[] => {
    const free = slots.filter((slot) => !jobs[slot])
    const order = free.sort((a, b) => left[a]! - left[b]! || a - b)
    const same = (slot: number): number => {
      const count = shared(slot, job)
      return 2 * count >= executor.length(slot) ? count : 0
    }
    const best = order.reduce<number | undefined>(
      (found, slot) => (same(slot) > (found === undefined ? 0 : same(found)) ? slot : found),
      undefined,
    )
    return best === undefined ? order : [best, ...order.filter((slot) => slot !== best)]
  }

  return {
    get active() {
      return jobs.filter((job) => job !== undefined)
    },
    needs,
    take(job, tokens) {
      const slot = candidates(job).find((free) => executor.fits(needs(free, tokens)))
      if (slot === undefined) return false
      const kept = shared(slot, job)
      executor.truncate(slot, kept)
      jobs[slot] = job
      contents[slot] = job.ids
      job.slot = slot
      job.reserved = tokens
      return true
    },
    donor(job) {
      if (!executor.copies || job.slot === undefined) return undefined
      let best: Donor = { slot: -1, shared: executor.length(job.slot) + leastShared - 1 }
      for (const slot of slots) {
        if (slot === job.slot) continue
        const count = shared(slot, job)
        if (count > best.shared) best = { slot, shared: count }
      }
      return best.slot < 0 ? undefined : best
    },
    leave(job) {
      const { slot } = job
      if (slot === undefined) return
      contents[slot] = [...job.ids]
      jobs[slot] = undefined
      left[slot] = ++clock
      job.slot = undefined
      job.reserved = 0
    },
    holeBelow(slot) {
      const hole = jobs.indexOf(undefined)
      return hole >= 0 && hole < slot ? hole : undefined
    },
    async move(job, to) {
      const from = job.slot!
      await executor.exchange(from, to)
      const kept = contents[to]!
      contents[to] = contents[from]!
      contents[from] = kept
      left[from] = left[to]!
      jobs[to] = job
      jobs[from] = undefined
      job.slot = to
    },
  }
}
