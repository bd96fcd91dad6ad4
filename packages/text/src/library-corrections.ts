import type { Tokenizer } from '@huggingface/tokenizers'

/**
 * Brings the pre-tokenizers of @huggingface/tokenizers in line with the reference implementation in Rust, where JavaScript's
 * character classes differ from it or an option is not read:
 * - `Digits` splits at every numeric character of Unicode (`\p{N}`), where `\d` knows only 0-9;
 * - `ByteLevel` takes white space as Unicode's property White_Space, where `\s` adds U+FEFF and lacks U+0085;
 * - `Metaspace` with `split` (the default) starts a new piece at every replacement character;
 * - `Split` joins a match to the text before or after it, or to the match beside it, as its `behavior` says.
 * Checked against Python's tokenizers by the goldens of `tokenizer.test.ts`.
 * `config` is the `pre_tokenizer` entry of tokenizer.json from which the library made its objects.
 */
export function correctPreTokenizers(tokenizer: Tokenizer, config: unknown): void {
  visit(tokenizer.pre_tokenizer as PreTokenizerObject | null, config as PreTokenizerConfig | null)
}

interface PreTokenizerConfig {
  type?: string
  individual_digits?: boolean
  split?: boolean
  replacement?: string
  behavior?: string
  invert?: boolean
  pretokenizers?: PreTokenizerConfig[]
}

/** The library's pre-tokenizers as far as they are changed here. */
interface PreTokenizerObject {
  tokenizers?: (PreTokenizerObject | null)[]
  pattern?: RegExp
  pre_tokenize_text(text: string, options?: unknown): string[]
}

function visit(
  preTokenizer: PreTokenizerObject | null | undefined,
  config: PreTokenizerConfig | null | undefined,
): void {
  if (!preTokenizer || !config) return
  if (config.type === 'Sequence') {
    for (const [i, child] of (preTokenizer.tokenizers ?? []).entries()) visit(child, config.pretokenizers?.[i])
  } else if (config.type === 'Digits') {
    preTokenizer.pattern = config.individual_digits ? /\P{N}+|\p{N}/gu : /\P{N}+|\p{N}+/gu
  } else if (config.type === 'ByteLevel') {
    preTokenizer.pattern = wordPattern
  } else if (config.type === 'Metaspace' && config.split !== false) {
    const mark = config.replacement ?? '▁'
    const whole = preTokenizer.pre_tokenize_text.bind(preTokenizer)
    preTokenizer.pre_tokenize_text = (text, options) =>
      whole(text, options).flatMap((piece) => splitMerging(piece, literalPattern(mark), 'MergedWithNext'))
  } else if (config.type === 'Split' && !config.invert && isMerging(config.behavior) && preTokenizer.pattern) {
    const { pattern } = preTokenizer
    const { behavior } = config
    preTokenizer.pre_tokenize_text = (text) => splitMerging(text, pattern, behavior)
  }
}

/** GPT-2's word pattern with Unicode white space. */
const wordPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu

type MergingBehavior = 'MergedWithNext' | 'MergedWithPrevious' | 'Contiguous'

const isMerging = (behavior: string | undefined): behavior is MergingBehavior =>
  behavior === 'MergedWithNext' || behavior === 'MergedWithPrevious' || behavior === 'Contiguous'

const literalPattern = (text: string): RegExp => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gu')

/**
 * Cuts a text around the matches of a pattern: `a-b--c` by `-` gives `a`, `-b`, `-`, `-c` (MergedWithNext), `a-`, `b-`, `-`,
 * `c` (MergedWithPrevious) or `a`, `-`, `b`, `--`, `c` (Contiguous).
 */
function splitMerging(text: string, pattern: RegExp, behavior: MergingBehavior): string[] {
  const pieces: string[] = []
  let start = 0
  const cut = (end: number) => {
    if (end > start) pieces.push(text.slice(start, end))
    start = Math.max(start, end)
  }
  let previousEnd = -1
  for (const match of text.matchAll(pattern)) {
    const end = match.index + match[0].length
    if (behavior === 'MergedWithNext') cut(match.index)
    else if (behavior === 'MergedWithPrevious') cut(end)
    else {
      if (previousEnd !== match.index) {
        if (previousEnd !== -1) cut(previousEnd)
        cut(match.index)
      }
      previousEnd = end
    }
  }
  if (behavior === 'Contiguous' && previousEnd !== -1) cut(previousEnd)
  cut(text.length)
  return pieces
}
