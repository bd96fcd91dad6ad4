/**
 * Continuous batching: conversations that join and leave a running batch at every step. Each run of the model is one step of
 * all conversations that wait with a single token, or a piece of one prompt.
 * @module
 */
import { AwqError } from '@awq/tensor'
import { turnEventLoop } from '../event-loop.ts'
import type { Conversation, OpenConversationOptions } from '../token-model.ts'
import type { BatchSettings } from './batch-options.ts'
import type { BatchExecutor } from './executor.ts'
import { createJob, failJob, giveTokens, type Job } from './job.ts'
import { createPlaces, type Places } from './places.ts'

/** How busy a batch is. */
export interface BatchLoad {
  /** Generations that have a place in the batch, and those that wait for one. */
  readonly active: number
  readonly waiting: number
  readonly maxBatch: number
  readonly maxQueue: number
  /** Tokens that the caches have room for at most, and those that memory is taken for. */
  readonly cacheTokens: number
  readonly usedTokens: number
  /** How often one lost its place to those before it, because they grew; it is run anew when it is its turn again. */
  readonly interrupted: number
}

/** Conversations that run together. */
export interface Batch {
  readonly load: BatchLoad
  /** @throws AwqError BUSY when the queue is full */
  check(): void
  /**
   * An empty conversation; it takes a place in the queue with its first tokens.
   * @throws AwqError BUSY when the queue is full
   */
  open(options?: OpenConversationOptions): Conversation
  /** Frees the memory. What waits is rejected. */
  dispose(): void
}

/** What a batch runs on. */
export interface BatchParts {
  readonly settings: BatchSettings
  readonly vocabSize: number
  /** Makes the executor, when something is first to be run. */
  readonly open: () => Promise<BatchExecutor>
  readonly tuning?: Partial<BatchTuning> | undefined
}

/** What a batch weighs against each other. */
export interface BatchTuning {
  /** Tokens of a prompt between two steps of the others. */
  readonly promptShare: number
  /** Tokens that memory is reserved for beyond those known. */
  readonly ahead: number
  /** Rows that steps computed for nobody before the jobs are moved together. */
  readonly wasteAllowed: number
  /** Milliseconds that a step waits for those who took part in the one before. */
  readonly patience: number
}

const usual: BatchTuning = { promptShare: 64, ahead: 256, wasteAllowed: 16, patience: 3 }

/** A batch with nothing in it. */
export const createBatch = ({ settings, vocabSize, open, tuning }: BatchParts): Batch => {
  const { promptShare, ahead, wasteAllowed, patience } = { ...usual, ...tuning }
  const { maxBatch, maxQueue, cacheTokens, contextLength } = settings
  /** All that are open. */
  const jobs = new Set<Job>()
  /** Those with tokens to run and no slot, the first come first. */
  const queue: Job[] = []
  /** Those that got their logits of the last run and are expected to be back. */
  const expected = new Set<Job>()
  let executor: BatchExecutor | undefined
  let places: Places | undefined
  let looping = false
  /** Somebody came or went since the loop last looked. */
  let stirred = false
  /** Slots are in use or about to be: whoever leaves now is seen to later. */
  let working = false
  let disposed = false
  let arrivals = 0
  let interrupted = 0
  let wasted = 0
  let prompts = 0
  let promptNext = false

  const cached = ({ slot }: Job): number => (slot === undefined ? 0 : executor!.length(slot))
  /** A single token is left, and no other's logits are wanted with it. */
  const isSingle = (job: Job): boolean => remaining(job) === 1 && !job.pending?.rows
  const remaining = (job: Job): number => job.ids.length - cached(job)
  const fail = (job: Job, reason: unknown): void => {
    const index = queue.indexOf(job)
    if (index >= 0) queue.splice(index, 1)
    failJob(job, reason, cached(job))
  }

  const release = (job: Job): void => {
    fail(job, new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.'))
    expected.delete(job)
    places?.leave(job)
  }

  /** Lets those go that were disposed of or aborted while slots were in use. */
  const sweep = (): void => {
    for (const job of places?.active ?? []) {
      if (job.pending?.signal?.aborted) fail(job, job.pending.signal.reason)
      if (job.closed) release(job)
    }
  }

  const enqueue = (job: Job): void => {
    const behind = queue.findIndex(({ turn }) => turn > job.turn)
    queue.splice(behind < 0 ? queue.length : behind, 0, job)
  }

  /** The memory to ask for: for what is known and some more, or for all that it may come to. */
  const wish = ({ ids, most }: Job): number =>
    Math.max(ids.length, Math.min(contextLength, most, Math.ceil((ids.length + ahead) / ahead) * ahead))

  /** Moves jobs from the end into slots that nobody has. */
  const moveTogether = async (movable: readonly Job[]): Promise<void> => {
    for (const job of [...movable].sort((a, b) => b.slot! - a.slot!)) {
      const hole = places!.holeBelow(job.slot!)
      if (hole === undefined) return
      await places!.move(job, hole)
    }
  }

  /** Memory that lies between slots in use is had by moving these together. */
  const take = async (job: Job): Promise<boolean> => {
    if (places!.take(job, wish(job))) return true
    const before = places!.needs().join()
    await moveTogether(places!.active.filter(({ pending }) => pending))
    // Meanwhile it may have gone away.
    return places!.needs().join() !== before && job === queue[0] && places!.take(job, wish(job))
  }

  /** Gives slots to those that wait, in their order, while there are some. */
  const admit = async (): Promise<void> => {
    let admitted = false
    for (let job = queue[0]; job && (await take(job)); job = queue[0]) {
      queue.shift()
      if (job.pending?.from === 0) job.reused = cached(job)
      admitted = true
    }
    if (admitted) await executor!.reserve(places!.needs())
  }

  /**
   * Sees to the memory for the tokens of some jobs. Where there is not enough, those that came last lose their slots and are
   * run anew when it is their turn again.
   * @returns those that still have theirs
   */
  const makeRoom = async (wanted: readonly Job[]): Promise<Job[]> => {
    const growing = wanted.filter(({ ids, reserved }) => ids.length > reserved)
    for (const job of growing) job.reserved = wish(job)
    if (growing.length > 0) {
      for (;;) {
        if (executor!.fits(places!.needs())) break
        await moveTogether(places!.active.filter(({ pending }) => pending))
        if (executor!.fits(places!.needs())) break
        const last = places!.active.reduce((youngest, job) => (job.turn > youngest.turn ? job : youngest))
        places!.leave(last)
        interrupted++
        if (last.pending) enqueue(last)
      }
      await executor!.reserve(places!.needs())
    }
    return wanted.filter(({ slot }) => slot !== undefined)
  }

  const finish = (job: Job, logits: Float32Array): void => {
    expected.add(job)
    job.pending?.resolve(logits)
  }

  const step = async (ready: readonly Job[]): Promise<void> => {
    const singles = (await makeRoom(ready)).sort((a, b) => a.slot! - b.slot!)
    if (singles.length === 0) return
    if (executor!.copies) {
      wasted += singles.at(-1)!.slot! - singles[0]!.slot! + 1 - singles.length
      if (wasted > wasteAllowed) {
        await moveTogether(singles)
        singles.sort((a, b) => a.slot! - b.slot!)
        wasted = 0
      }
    }
    const slots = singles.map(({ slot }) => slot!)
    const logits = await executor!.decode(
      slots,
      singles.map(({ ids }) => ids.at(-1)!),
    )
    for (const [index, job] of singles.entries()) finish(job, logits[index]!)
  }

  const readPrompt = async (one: Job, most: number): Promise<void> => {
    const [job] = await makeRoom([one])
    if (!job?.pending) return
    const slot = job.slot!
    const { ids, pending } = job
    const donor = places!.donor(job)
    if (donor) {
      const before = cached(job)
      await executor!.copy(donor.slot, slot, before, donor.shared)
      if (pending.from === 0) job.reused += donor.shared - before
      // A single token that is left goes with the others' step.
      if (isSingle(job)) return
    }
    const at = cached(job)
    const count = Math.min(
      executor!.chunk === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : Math.min(most, executor!.chunk),
      ids.length - at,
    )
    const end = at + count
    const all = pending.logits === 'all'
    const last = end === ids.length
    const rows = all ? Math.max(0, end - Math.max(at, pending.from)) : last ? 1 : 0
    const logits = await executor!.append(slot, ids.slice(at, end), rows)
    const wanted = ids.length - pending.from
    if (all && rows < wanted) {
      pending.rows ??= new Float32Array(wanted * vocabSize)
      pending.rows.set(logits.subarray(0, rows * vocabSize), (end - rows - pending.from) * vocabSize)
    }
    if (last) finish(job, pending.rows ?? logits)
  }

  /** One run of the model; false when nobody waits for one. */
  const work = async (): Promise<boolean> => {
    const { active } = places!
    const ready = active.filter(({ pending }) => pending)
    const singles = ready.filter(isSingle)
    const long = ready.filter((job) => !isSingle(job))
    if (ready.length === 0) return false
    promptNext = long.length > 0 && (promptNext || singles.length === 0)
    // Who came first and who is done soonest, in turns: nobody waits for ever, and few wait for long prompts.
    const key = prompts % 2 === 0 ? ({ turn }: Job) => turn : remaining
    const chosen = promptNext ? [long.reduce((best, job) => (key(job) < key(best) ? job : best))] : singles
    try {
      if (promptNext) {
        prompts++
        const decoding = active.some((job) => !long.includes(job))
        await readPrompt(chosen[0]!, decoding ? promptShare : Number.POSITIVE_INFINITY)
      } else await step(chosen)
    } catch (error) {
      for (const job of chosen) fail(job, error)
    }
    promptNext = !promptNext
    return true
  }

  /** Gives those who took part in the last run a moment to choose their tokens, so that they take part in the next one. */
  const gather = async (): Promise<void> => {
    const until = performance.now() + patience
    do {
      await turnEventLoop()
      for (const job of expected) if (job.pending || job.closed) expected.delete(job)
    } while (expected.size > 0 && performance.now() < until)
    expected.clear()
  }

  const loop = async (): Promise<void> => {
    try {
      executor ??= await open()
      places ??= createPlaces(executor)
      for (;;) {
        working = false
        await gather()
        if (disposed) break
        working = true
        stirred = false
        sweep()
        await admit()
        if (!(await work()) && !stirred) break
      }
    } catch (error) {
      for (const job of jobs) fail(job, error)
    }
    working = false
    looping = false
    if (disposed) end()
  }

  const wake = (): void => {
    stirred = true
    if (looping || disposed) return
    looping = true
    void loop()
  }

  const end = (): void => {
    for (const job of jobs) fail(job, new AwqError('INVALID_ARGUMENT', 'The model has been disposed; load it again.'))
    executor?.dispose()
  }

  const check = (): void => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', 'The model has been disposed; load it again.')
    if (jobs.size < maxBatch + maxQueue) return
    throw new AwqError(
      'BUSY',
      `${jobs.size} generations run or wait, which is all that maxBatch (${maxBatch}) and maxQueue (${maxQueue}) allow. Try ` +
        'again later.',
    )
  }

  const checkTokens = (job: Job, ids: readonly number[]): void => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', 'The model has been disposed; load it again.')
    if (job.closed) throw new AwqError('INVALID_ARGUMENT', 'This conversation was disposed; start another.')
    if (job.pending) {
      throw new AwqError('INVALID_ARGUMENT', 'This conversation is being extended; wait for that to end.')
    }
    if (ids.length === 0) throw new AwqError('INVALID_ARGUMENT', 'A conversation is extended by at least one token.')
    if (job.ids.length + ids.length <= contextLength) return
    throw new AwqError(
      'INVALID_ARGUMENT',
      `The context of ${contextLength} tokens is full: ${job.ids.length} are in use, ${ids.length} were to be added. ` +
        'Shorten the conversation.',
    )
  }

  return {
    get load() {
      const active = [...jobs].filter(({ slot }) => slot !== undefined).length
      const usedTokens = executor?.usedTokens ?? 0
      return { active, waiting: jobs.size - active, maxBatch, maxQueue, cacheTokens, usedTokens, interrupted }
    },
    check,
    open({ most = contextLength } = {}) {
      check()
      const job = createJob(arrivals++, Math.min(most, contextLength))
      jobs.add(job)
      return {
        get length() {
          return job.pending ? Math.max(job.pending.from, Math.min(cached(job), job.ids.length)) : job.ids.length
        },
        get reused() {
          return job.reused
        },
        async extend(ids, extension) {
          checkTokens(job, ids)
          extension.signal?.throwIfAborted()
          const logits = giveTokens(job, ids, extension, () => {
            if (job.slot === undefined || !working) fail(job, extension.signal?.reason)
            wake()
          })
          if (job.slot === undefined) enqueue(job)
          wake()
          return logits
        },
        truncate(length) {
          if (job.pending) {
            throw new AwqError('INVALID_ARGUMENT', 'This conversation is being extended; wait for that to end.')
          }
          job.ids.length = Math.min(job.ids.length, length)
          if (job.slot !== undefined && cached(job) > length) executor!.truncate(job.slot, length)
        },
        dispose() {
          if (job.closed) return
          job.closed = true
          jobs.delete(job)
          if (job.slot === undefined || !working) release(job)
          wake()
        },
      }
    },
    dispose() {
      if (disposed) return
      disposed = true
      if (!looping) end()
    },
  }
}
