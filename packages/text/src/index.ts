export { bundledText } from './bundled-text.ts'
export { type JsonRecord, readJsonLines } from './json-lines.ts'
export { readTexts } from './read-texts.ts'
export type { ReadTextOptions } from './text-lines.ts'
export { type TokenBlocks, type TokenBlocksOptions, tokenBlocks } from './token-blocks.ts'
export { loadTokenizer } from './tokenizer.ts'
export type {
  ChatMessage,
  ChatTemplateOptions,
  ContentPart,
  DecoderOptions,
  TextDecoderStream,
  TextDocument,
  TextSource,
  Tokenizer,
} from './types.ts'
