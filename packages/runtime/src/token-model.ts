/**
 * What the token loop needs of a model.
 * @module
 */

/** A model as the token loop sees it. */
export interface TokenModel {
  /** Tokens that fit the cache, prompt and output together. */
  readonly contextLength: number
  /** Tokens that the model itself could take, where it was opened with a shorter context; for the advice in errors. */
  readonly largestContext?: number | undefined
  readonly vocabSize: number
  readonly eosIds: ReadonlySet<number>
  /** Whether an id may stand in a prompt, where not only those of the vocabulary may: rows of images. */
  readonly knows?: ((id: number) => boolean) | undefined
  /**
   * Keeps what such ids of a prompt stand for until the function that it gives is called.
   * @throws AwqError BUSY where there is no room
   */
  readonly hold?: ((prompt: readonly number[]) => () => void) | undefined
  /**
   * What rotary tables a sequence of so many tokens has, where that depends on its length: tokens that are run in a longer
   * sequence with other tables get other logits.
   */
  readonly regime?: ((length: number) => string) | undefined
  /** Tokens that one run takes, where there is a limit: with 1 a draft saves nothing, and none is made. */
  readonly tokensAtOnce?: number | undefined
  /**
   * A new incremental decoder of ids to text.
   * @param visibleTokens control tokens that are shown nevertheless
   */
  createDecoder(visibleTokens?: ReadonlySet<number>): { push(id: number): string; flush(): string }
  /**
   * A conversation for this prompt. Its cache is empty or holds a beginning of the prompt (`length` tokens of it), never
   * all of it, since the logits after the last token are what is asked for. Dispose it.
   * @throws AwqError BUSY where a batch's queue is full
   */
  open(prompt: readonly number[], options?: OpenConversationOptions): Conversation
  /**
   * Says at once whether a conversation could be opened now.
   * @throws AwqError BUSY where a batch's queue is full
   */
  readonly check?: (() => void) | undefined
}

/** What is known of a conversation when it is opened. */
export interface OpenConversationOptions {
  /** Tokens that it may come to, prompt included; the whole context by default. A batch reserves memory by it. */
  readonly most?: number | undefined
}

/** Tokens that the model has seen, and the logits of what comes next. */
export interface Conversation {
  /** Tokens in the cache. */
  readonly length: number
  /**
   * Tokens of the first `extend` that did not run, since their rows were in another cache; for conversations that find such a
   * cache only when their turn comes. 0 or absent otherwise.
   */
  readonly reused?: number | undefined
  /**
   * Appends tokens. `last` (the default) gives the logits `[vocab]` that follow the last of them, `all` those that follow
   * each, `[ids.length, vocab]`. The array is the conversation's own and the next call overwrites it. After a failure or
   * an abort the tokens that were completed stay; `length` tells, and the conversation can go on.
   */
  extend(
    ids: readonly number[],
    options: { readonly signal?: AbortSignal | undefined; readonly logits?: 'last' | 'all' | undefined },
  ): Promise<Float32Array>
  /** Forgets the tokens after the first `length`. Cheap: nothing is moved. */
  truncate(length: number): void
  /** Frees the cache. */
  dispose(): void
}
