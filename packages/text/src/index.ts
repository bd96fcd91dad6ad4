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
