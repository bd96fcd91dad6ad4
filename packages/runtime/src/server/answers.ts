/**
 * The generations of one request, run side by side.
 * @module
 */
import { AwqError } from '@awq/tensor'
import type { Generation, GenerationEvent, GenerationResult } from '../generation.ts'
import type { GenerateOptions } from '../generation-options.ts'
import type { LanguageModel } from '../language-model.ts'
import { ApiError, badParameter } from './api-error.ts'
import type { Exchange } from './exchange.ts'

/** What one answer of a request is made from. */
export interface AnswerRequest {
  readonly ids: readonly number[]
  /** The answer continues the text of the ids, first space included. */
  readonly continuation: boolean
  readonly options: GenerateOptions
}

/** Running generations of one request. */
export interface Answers {
  readonly generations: readonly Generation[]
  /**
   * Runs them to their ends. Every event and every end is given with the number of its generation; what is returned for it
   * is waited for. One that fails ends the others.
   */
  run(
    onEvent: (index: number, event: GenerationEvent) => Promise<void> | undefined,
    onEnd?: (index: number, result: GenerationResult) => Promise<void> | undefined,
  ): Promise<GenerationResult[]>
}

/**
 * Starts one generation per request, all or none: what the model refuses at once is thrown here, before anything of an
 * answer is sent.
 */
export const startAnswers = (
  { scope }: Exchange,
  model: LanguageModel,
  requests: readonly AnswerRequest[],
): Answers => {
  const { signal, record } = scope
  signal.throwIfAborted()
  checkRoom(model, requests.length)
  const generations = requests.map(({ ids, continuation, options }) => {
    try {
      return model.generate({ ids, continuation }, { ...options, signal })
    } catch (error) {
      // One that waits in the queue already is taken out of it again.
      scope.abort(error)
      throw refused(error)
    }
  })
  // Each takes its place in the queue at once, so that what was found free stays so.
  const iterators = generations.map((generation) => generation[Symbol.asyncIterator]())
  const firstEvents = iterators.map((iterator) => {
    const first = iterator.next()
    first.catch(() => {})
    return first
  })
  const run: Answers['run'] = async (onEvent, onEnd) => {
    const drive = async (generation: Generation, index: number): Promise<GenerationResult> => {
      const iterator = iterators[index] as AsyncIterator<GenerationEvent>
      for (let next = await firstEvents[index]; next && !next.done; next = await iterator.next()) {
        record.firstTokenSeconds ??= (performance.now() - scope.started) / 1000
        record.newTokens++
        await onEvent(index, next.value)
      }
      const result = await generation.result
      await onEnd?.(index, result)
      return result
    }
    const driven = generations.map(async (generation, index) => {
      try {
        return await drive(generation, index)
      } catch (error) {
        scope.abort(error)
        // It may stand at a token that its reader never took: then the abort alone would not end it.
        await iterators[index]?.return?.()
        throw error
      }
    })
    const settled = await Promise.allSettled(driven)
    // The first failure is the reason of the abort, and with it of the others.
    if (signal.aborted) throw signal.reason
    const results = settled.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason
      return outcome.value
    })
    if (scope.texts) scope.texts = { ...scope.texts, answers: results.map(({ text }) => text) }
    record.cachedTokens = results[0]?.reusedTokens ?? 0
    return results
  }
  return { generations, run }
}

/** All answers of a request find room in the batch and its queue, or none is begun. */
const checkRoom = ({ load }: LanguageModel, answers: number): void => {
  if (!load) return
  const { active, waiting, maxBatch, maxQueue } = load
  const room = maxBatch + maxQueue
  if (answers > room) {
    throw badParameter('n', `This server takes up to ${room} answers at a time.`, 'integer_above_max_value')
  }
  if (active + waiting + answers > room) throw new AwqError('BUSY', 'The queue is full.')
}

/** What `generate` refuses at once is about its options, and these are the request's. */
const refused = (error: unknown): unknown =>
  AwqError.is(error) && error.code === 'INVALID_ARGUMENT'
    ? new ApiError(400, error.message, { code: 'invalid_value', cause: error })
    : error

/** The tokens of a request, as OpenAI's API counts them: a prompt that several answers share counts once. */
export const usageOf = (promptTokens: number, results: readonly GenerationResult[]) => {
  const completionTokens = results.reduce((sum, { newTokens }) => sum + newTokens, 0)
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: {
      cached_tokens: results.reduce((most, { reusedTokens }) => Math.max(most, reusedTokens), 0),
    },
    completion_tokens_details: { reasoning_tokens: 0 },
  }
}
