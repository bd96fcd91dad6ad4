export { bundledText } from './bundled-text.ts'
export { isImageDocument } from './image-records.ts'
export { type JsonRecord, readJsonLines } from './json-lines.ts'
export { readTexts } from './read-texts.ts'
export { documentOf } from './records.ts'
export type { ReadTextOptions } from './text-lines.ts'
export { cutSamples, type Samples, type TokenBlocks, type TokenBlocksOptions, tokenBlocks } from './token-blocks.ts'
export { loadTokenizer } from './tokenizer.ts'
export type {
  ChatMessage,
  ChatTemplateOptions,
  ContentPart,
  DecoderOptions,
  ImageDocument,
  TextDecoderStream,
  TextDocument,
  TextSource,
  Tokenizer,
} from './types.ts'
