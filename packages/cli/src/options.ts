import type { Bits, Method } from './libraries.ts'
import { groupSize, integer, number, oneOf, oneOfNumbers, text, type ValueParser } from './values.ts'

/** One `--option` of a command. Its name on the command line is its key in the table, in kebab case. */
export interface Option<T> {
  /** What `--help` prints: a sentence without its full stop. */
  readonly description: string
  /** The value's name in the help; absent for a switch, which takes no value. */
  readonly hint?: string
  /** Reads and checks the value; absent for a switch. */
  readonly parse?: ValueParser<unknown>
  /** One letter for `-o`. */
  readonly short?: string
  /** The value when the option is absent; `undefined` stays undefined. */
  readonly fallback: T
  /** Wrong usage when absent. */
  readonly required?: true
  /** May be given many times; the values come as an array. */
  readonly repeat?: true
}
// biome-ignore lint/suspicious/noExplicitAny: the table holds options of every value type
export type OptionTable = Readonly<Record<string, Option<any>>>
/** The checked values of a table of options, by key. */
export type Values<O extends OptionTable> = { [K in keyof O]: O[K] extends Option<infer T> ? T : never }

/** A switch: true when given. */
export const flag = (description: string, short?: string): Option<boolean> => ({
  description,
  fallback: false,
  ...(short ? { short } : {}),
})

/** An option with a value, `undefined` when absent. */
export const optional = <T>(hint: string, parse: ValueParser<T>, description: string): Option<T | undefined> => ({
  description,
  hint,
  parse,
  fallback: undefined,
})

/** An option with a value and a default, which the help prints. */
export const withDefault = <T>(
  hint: string,
  parse: ValueParser<T>,
  fallback: NoInfer<T>,
  description: string,
): Option<T> => ({
  description: `${description} (default ${Array.isArray(fallback) ? fallback.join(',') : String(fallback)})`,
  hint,
  parse,
  fallback,
})

/** An option that must be given. */
export const required = <T>(hint: string, parse: ValueParser<T>, description: string, short?: string): Option<T> => ({
  description,
  hint,
  parse,
  // Never read: an absent required option is refused before.
  fallback: undefined as T,
  required: true,
  ...(short ? { short } : {}),
})

/** An option that may be given many times. */
export const repeated = <T>(hint: string, parse: ValueParser<T>, description: string): Option<T[]> => ({
  description,
  hint,
  parse,
  fallback: [],
  repeat: true,
})

/** What every command takes. */
export const commonOptions = {
  device: withDefault(
    'DEVICE',
    oneOf(['cpu', 'cuda', 'webgpu', 'coreml', 'directml']),
    'cpu',
    'Where the arithmetic runs: cpu, cuda or webgpu (and coreml on macOS, directml on Windows)',
  ),
  threads: optional('N', integer(1, 1024), 'CPU threads (default: one per core)'),
  engine: optional(
    'NAME',
    oneOf(['native', 'onnxruntime-node']),
    'native or onnxruntime-node (default: native, and onnxruntime-node with a warning where native cannot load)',
  ),
  revision: optional('NAME', text, 'Branch, tag or commit when MODEL is a hub id'),
  token: optional('TOKEN', text, 'Access token for the hub (default: $HF_TOKEN)'),
  cacheDir: optional('DIR', text, 'Where hub files are kept (default: the cache that Python uses, $HF_HOME)'),
  json: flag('Print newline-delimited JSON events on stdout, the last one the result'),
  debug: flag('Print the stack of an error'),
  help: flag('Print this help', 'h'),
} satisfies OptionTable

/** The values of {@link commonOptions}. */
export type CommonValues = Values<typeof commonOptions>

const storedBits = oneOfNumbers([4, 8, 16])

/** How matrices are stored; shared by `quantize` and `compare`. */
export const gridOptions = {
  groupSize: withDefault(
    'G',
    groupSize,
    128,
    'Weights per scale: 16, 32, 64, 128, 256, or -1 for one per output channel',
  ),
  symmetric: flag('No zero points: a grid symmetric around 0'),
  headBits: withDefault('B', storedBits, 8, 'Bits of the output head: 4, 8 or 16'),
  embeddingBits: withDefault('B', storedBits, 8, 'Bits of the token embedding: 4, 8 or 16'),
  visionBits: withDefault('B', oneOfNumbers([8, 16]), 16, 'Bits of vision tower and projector: 8 or 16'),
} satisfies OptionTable

/** What the statistics are taken on; shared by `quantize` and `compare`. */
export const calibrationOptions = {
  calibration: optional(
    'FILE',
    text,
    'Text, JSONL or parquet file, or a data set: wikitext, pileval (default: a small text that comes along)',
  ),
  samples: withDefault('N', integer(1, 1_000_000), 128, 'Calibration blocks'),
  length: withDefault('N', integer(1, 1_000_000), 512, 'Tokens per calibration block'),
  seed: optional('N', integer(0), 'Shuffle the blocks by this seed (default: file order)'),
  moeCalibrateAll: flag('Mixtures of experts: show every token to every expert, not to those alone that are chosen'),
} satisfies OptionTable

const scaleStrategyNames = ['alpha', 'duo', 'channel', 'gradient', 'gptq'] as const
const objectiveNames = ['linear', 'block', 'int8-activations'] as const

/** How a method searches; shared by `quantize` and `compare`, left out of methods without the step. */
export const methodOptions = {
  scaleStrategy: optional('NAME', oneOf(scaleStrategyNames), `How scales are found: ${scaleStrategyNames.join(', ')}`),
  objective: optional('NAME', oneOf(objectiveNames), `What scales are judged by: ${objectiveNames.join(', ')}`),
  propagate: optional(
    'NAME',
    oneOf(['float', 'quantized', 'compensated']),
    'Calibrate each block on the outputs of the float or of the quantized blocks before it; compensated: also move its weights to make up for errors before it (default: as the method has it)',
  ),
  clipEnds: optional(
    'WAY',
    oneOf(['together', 'independent']),
    'Clip both ends of a range by one ratio, or each by its own, which is slower (default: together; independent when compensated)',
  ),
  smoothAlpha: optional(
    'A',
    number(0, 1),
    'SmoothQuant: how much of the range of activations moves into the weights, 0 to 1 (default 0.5)',
  ),
  keepSalient: optional('F', number(0, 1), 'Share of the input channels that stay float16: 0.01 keeps 1% (default 0)'),
  salientBy: optional(
    'WAY',
    oneOf(['activation', 'weight', 'random']),
    'Chooses these by the largest mean activation or weight, or random by --seed (default activation)',
  ),
} satisfies OptionTable

/** The names of {@link methodOptions}. */
// Object.keys forgets which keys an object has.
export const methodOptionNames = Object.keys(methodOptions) as (keyof typeof methodOptions)[]

/** The quantization methods. */
export const methodNames = [
  'awq',
  'rtn',
  'gptq',
  'awq-gptq',
  'smoothquant',
  'smoothquant-awq',
] as const satisfies readonly Method[]
/** Bits of the linear layers when none are asked for. */
export const defaultBits = (method: Method): Bits => (method === 'smoothquant' ? 8 : 4)
/** How many bits a weight gets. */
export const bitWidth = oneOfNumbers([2, 3, 4, 8])
/** Arithmetic of the quantized products: exact keeps float32 activations, fast rounds them to int8. */
export const accuracy = oneOf(['exact', 'fast'])
