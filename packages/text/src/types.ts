/** One part of a multi-part message; only `{ type: 'text', text }` means something to a language model without images. */
export interface ContentPart {
  readonly type: string
  readonly text?: string
  readonly [extra: string]: unknown
}

/**
 * One turn of a conversation in the shape chat templates read: `role` (`system`, `user`, `assistant`, `tool`, …), `content`,
 * and whatever else a template asks for (`tool_calls`, `name`, …).
 */
export interface ChatMessage {
  readonly role: string
  readonly content?: string | readonly ContentPart[] | null
  readonly [extra: string]: unknown
}

/** A conversation with images: parts `{ type: 'image', image }` of its contents, whatever the image is given by. */
export interface ImageDocument {
  readonly messages: readonly ChatMessage[]
  /** File and line, for messages. */
  readonly where: string
  /** The folder in which names of images are looked up; absent where names are not files. */
  readonly folder?: string | undefined
}

/** One document of calibration or evaluation text: plain text, a conversation that the chat template will render, or one with images. */
export type TextDocument = string | ChatMessage[] | ImageDocument

/** Anything that yields documents: a list of strings, or the result of `readTexts` or `openText`. */
export type TextSource = Iterable<TextDocument> | AsyncIterable<TextDocument>

/** Options of {@link Tokenizer.applyChatTemplate}. Further properties reach the template under their own names. */
export interface ChatTemplateOptions {
  /** Ends the text with the opening of an assistant turn, so that the model answers. Default false. */
  readonly addGenerationPrompt?: boolean | undefined
  /** JSON schemas of the functions the model may call, as the OpenAI API writes them. */
  readonly tools?: readonly unknown[] | undefined
  /** Documents for templates that support retrieval. */
  readonly documents?: readonly unknown[] | undefined
  /** Further variables of the template, e.g. `{ enable_thinking: false }`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined
}

/** Options of {@link Tokenizer.createDecoder}. */
export interface DecoderOptions {
  /** Leaves control tokens (`<s>`, `<|im_end|>`, …) out of the text. Default true. */
  readonly skipSpecialTokens?: boolean | undefined
  /** Control tokens that are shown all the same, such as those around the calls of functions. */
  readonly visibleTokens?: ReadonlySet<number> | undefined
  /**
   * True when the tokens continue a text that stands before them: the space with which a SentencePiece tokenizer starts a
   * word is then kept (`Hello` + ` world`). False when they are the whole text: that first space is the tokenizer's own and
   * is dropped. Byte-level tokenizers have no such space. Default false.
   */
  readonly continuation?: boolean | undefined
}

/** Turns token ids into text one at a time; never splits a UTF-8 character. */
export interface TextDecoderStream {
  /** The text that this token completes; empty while a character's bytes are incomplete. */
  push(id: number): string
  /** The rest at the end of the stream: U+FFFD for a character that was never completed. */
  flush(): string
}

/** A model's tokenizer with its chat template. */
export interface Tokenizer {
  /** Token ids of a text. Control tokens written in the text become their ids; `addSpecialTokens` (default false) adds BOS/EOS as tokenizer.json says. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[]
  /** Text of token ids. `skipSpecialTokens` defaults to false. Ids that the vocabulary lacks give nothing. */
  decode(ids: ArrayLike<number>, options?: DecoderOptions): string
  /** One past the largest token id, added tokens included; a model's embedding may have more rows (padding). */
  readonly vocabSize: number
  /** Begin-of-sequence token, when the model has one. */
  readonly bosId?: number
  /** Tokens that end a generation: from generation_config.json, config.json and tokenizer_config.json, without repetition. */
  readonly eosIds: readonly number[]
  /** Control tokens: those that tokenizer.json marks as special. */
  readonly specialIds: ReadonlySet<number>
  /** Id of a token by its exact spelling, e.g. `<|im_end|>`. */
  tokenId(token: string): number | undefined
  /**
   * The bytes that a token adds to a text that goes before it: part of a character for some tokens of byte-level
   * vocabularies. A control token is spelled. Undefined for ids that the vocabulary lacks.
   */
  tokenBytes(id: number): Uint8Array | undefined
  /** Source of the chat template (Jinja); absent for base models. */
  readonly chatTemplate?: string
  /** Renders a conversation to text. Throws `AwqError` when the model has no template or the template refuses the messages. */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatTemplateOptions): string
  /** A streaming detokenizer: the concatenation of its pushes and flush is `decode` of all ids with the same options. */
  createDecoder(options?: DecoderOptions): TextDecoderStream
}
