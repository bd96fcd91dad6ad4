/**
 * How a model writes calls of functions: told by its chat template, never by its name.
 * @module
 */

/** How calls stand in a model's text. Whatever the format, a call is an object with a name and arguments. */
export interface ToolCallFormat {
  readonly name: 'hermes' | 'functions' | 'llama' | 'mistral' | 'mistral-args' | 'list' | 'cohere' | 'deepseek' | 'json'
  /** What stands before a call; '' where calls stand bare, at the beginning of the answer. */
  readonly begin: string
  /** What stands behind a call, or behind all of them where they are a list; '' for nothing. */
  readonly end: string
  /** Markers around all calls, which mean nothing by themselves. */
  readonly around: readonly string[]
  /** One object for each call, a list of objects, or a name with the arguments behind it. */
  readonly body: 'object' | 'list' | 'named' | 'functions'
  /** What a name and arguments are called in an object. */
  readonly keys: { readonly name: string; readonly arguments: string }
  /** Calls may also stand bare at the beginning of the answer, without `begin`. */
  readonly bare: boolean
  /** The chat template shows the functions to the model; if not, `messagesWithTools` does. */
  readonly inTemplate: boolean
}

const usual = { name: 'name', arguments: 'arguments' } as const

const format = (
  name: ToolCallFormat['name'],
  begin: string,
  end: string,
  body: ToolCallFormat['body'],
  changes: Partial<ToolCallFormat> = {},
): ToolCallFormat => ({ name, begin, end, body, keys: usual, around: [], bare: false, inTemplate: true, ...changes })

/** What a template says, and what follows from it; the first row that fits decides. */
const rows: readonly (readonly [says: RegExp, format: ToolCallFormat])[] = [
  [/\[TOOL_CALLS\][\s\S]*\[ARGS\]/, format('mistral-args', '[TOOL_CALLS]', '', 'named')],
  [/\[TOOL_CALLS\]/, format('mistral', '[TOOL_CALLS]', '', 'list')],
  [
    /<\|START_ACTION\|>/,
    format('cohere', '<|START_ACTION|>', '<|END_ACTION|>', 'list', {
      keys: { name: 'tool_name', arguments: 'parameters' },
    }),
  ],
  [
    /<｜tool▁call▁begin｜>/,
    format('deepseek', '<｜tool▁call▁begin｜>', '<｜tool▁call▁end｜>', 'named', {
      around: ['<｜tool▁calls▁begin｜>', '<｜tool▁calls▁end｜>'],
    }),
  ],
  [/<tool_call>[\s\S]*<function=/, format('functions', '<tool_call>', '</tool_call>', 'functions')],
  [/<tool_call>/, format('hermes', '<tool_call>', '</tool_call>', 'object')],
  [/<\|tool_call\|>[\s\S]*<\|\/tool_call\|>/, format('list', '<|tool_call|>', '<|/tool_call|>', 'list')],
  [/<\|tool_call\|>/, format('list', '<|tool_call|>', '', 'list')],
  [
    /<\|python_tag\|>|"parameters": *dictionary of/,
    format('llama', '<|python_tag|>', '', 'object', { keys: { name: 'name', arguments: 'parameters' }, bare: true }),
  ],
  [/\btools\b/, format('json', '', '', 'object', { bare: true })],
]

const generic = format('json', '', '', 'object', { bare: true, inTemplate: false })

/**
 * The format that a chat template teaches: Hermes and Qwen (`<tool_call>{…}</tool_call>`, or with `<function=…>`), Llama 3
 * (`{"name", "parameters"}`, with `<|python_tag|>` or bare), Mistral (`[TOOL_CALLS]`), Granite and Phi (`<|tool_call|>[…]`),
 * Cohere, DeepSeek; else plain JSON.
 * @param chatTemplate source of the template, as in `Tokenizer.chatTemplate`; undefined for a model without
 */
export const toolCallFormat = (chatTemplate: string | undefined): ToolCallFormat =>
  rows.find(([says]) => says.test(chatTemplate ?? ''))?.[1] ?? generic

/**
 * The format's markers as they stand in text. Where the tokenizer has them as control tokens, they must be shown for a
 * parser to see them: give their ids to `generate` as `visibleTokens`.
 */
export const toolCallMarkers = ({ name, begin, end, around }: ToolCallFormat): readonly string[] => {
  const more: Partial<Record<ToolCallFormat['name'], readonly string[]>> = {
    'mistral-args': ['[CALL_ID]', '[ARGS]'],
    deepseek: ['<｜tool▁sep｜>'],
  }
  return [begin, end, ...around, ...(more[name] ?? [])].filter((marker) => marker !== '')
}
