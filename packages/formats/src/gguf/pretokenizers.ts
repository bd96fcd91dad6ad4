/**
 * How byte-level vocabularies cut a text before they merge: llama.cpp's names of it (`tokenizer.ggml.pre`), and the
 * `pre_tokenizer` of tokenizer.json.
 * @module
 */
import { isObject, type JsonObject } from '../folder/config.ts'

/** A way of cutting. */
export interface PreTokenizer {
  /** llama.cpp's names; the first is written. */
  readonly names: readonly [string, ...string[]]
  /** Patterns whose matches become pieces, one after the other; `digits` cuts at every digit, `gpt2` as GPT-2 does. */
  readonly cuts: readonly string[]
  readonly normalizer?: 'NFC'
  /** Whole words of the vocabulary are taken without merging. */
  readonly ignoreMerges?: true
  /** A text begins with the BOS token unless the file says otherwise. */
  readonly addsBos?: true
}

const llama3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const qwen2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const qwen35 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const tekken =
  '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const gpt4o =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const deepseek3 = [
  '\\p{N}{1,3}',
  '[一-龥぀-ゟ゠-ヿ]+',
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
]

export const DIGITS = 'digits'
export const GPT2 = 'gpt2'

/** The known ones. */
export const preTokenizers: readonly PreTokenizer[] = [
  { names: ['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'trillion', 'granite-docling'], cuts: [GPT2] },
  {
    names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
    cuts: [DIGITS, GPT2],
  },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'pixtral', 'midm-2.0', 'lfm2'],
    cuts: [llama3],
    ignoreMerges: true,
    addsBos: true,
  },
  { names: ['smaug-bpe', 'dbrx', 'glm4', 'chatglm-bpe'], cuts: [llama3] },
  {
    names: ['qwen2', 'deepseek-r1-qwen', 'stablelm2', 'hunyuan', 'solar-open', 'grok-2'],
    cuts: [qwen2],
    normalizer: 'NFC',
  },
  { names: ['qwen35'], cuts: [qwen35] },
  { names: ['tekken'], cuts: [tekken], ignoreMerges: true, addsBos: true },
  { names: ['gpt-4o', 'llama4', 'kanana2'], cuts: [gpt4o] },
  { names: ['deepseek-v3', 'hunyuan-dense'], cuts: deepseek3 },
]

const bytes = (useRegex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
})

/** The `pre_tokenizer` of tokenizer.json. */
export const preTokenizerJson = ({ cuts }: PreTokenizer): unknown => {
  const splits = cuts
    .filter((cut) => cut !== GPT2)
    .map((cut) =>
      cut === DIGITS
        ? { type: 'Digits', individual_digits: true }
        : { type: 'Split', pattern: { Regex: cut }, behavior: 'Isolated', invert: false },
    )
  const last = bytes(cuts.includes(GPT2))
  return splits.length === 0 ? last : { type: 'Sequence', pretokenizers: [...splits, last] }
}

/** What one step of a `pre_tokenizer` cuts by; null when it does something else. */
const cutOf = (step: JsonObject): string | null => {
  if (step.type === 'Digits' && step.individual_digits === true) return DIGITS
  const pattern = isObject(step.pattern) ? step.pattern.Regex : undefined
  // A pattern that is taken for what lies between, and kept, cuts at the same places.
  const kept = step.behavior === 'Isolated' || (step.behavior === 'Removed' && step.invert === true)
  return step.type === 'Split' && typeof pattern === 'string' && kept ? pattern : null
}

/** The known way of cutting that a `pre_tokenizer` of tokenizer.json is; undefined when it is none of them. */
export const findPreTokenizer = (json: unknown): PreTokenizer | undefined => {
  if (!isObject(json)) return undefined
  const steps = json.type === 'Sequence' && Array.isArray(json.pretokenizers) ? json.pretokenizers : [json]
  const last = steps.at(-1)
  if (!isObject(last) || last.type !== 'ByteLevel' || last.add_prefix_space === true) return undefined
  const cuts = steps.slice(0, -1).map((step) => (isObject(step) ? cutOf(step) : null))
  if (last.use_regex !== false) cuts.push(GPT2)
  const key = JSON.stringify(cuts)
  return preTokenizers.find((one) => JSON.stringify(one.cuts) === key)
}

/** By llama.cpp's name. */
export const preTokenizerNamed = (name: string): PreTokenizer | undefined =>
  preTokenizers.find(({ names }) => names.includes(name))
