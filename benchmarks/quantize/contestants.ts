/**
 * Who takes part, and how each is called.
 * @module
 */
import { awq, here, type Peer } from './folders.ts'

/** Bits of the linears, and input channels that share a scale. */
export interface Setting {
  readonly bits: number
  readonly groupSize: number
}

/** What all contestants are given, each in its own words. */
export interface Task {
  readonly model: string
  /** The calibration text, and the ids made from it. */
  readonly calibration: string
  readonly tokens: string
  readonly samples: number
  readonly length: number
  readonly threads: number
  readonly setting: Setting
  /** Where the quantized model goes; the peers save theirs as float32, and only when it is evaluated. */
  readonly output: string
  readonly save: boolean
}

/** A command whose last line of output is a JSON object with `seconds` and `peakRssBytes`. */
export interface Contestant {
  /** `autoawq`, `llmc-gptq`, `ours-awq`. */
  readonly key: string
  readonly name: string
  readonly ours: boolean
  invocation(task: Task, pythons: Readonly<Record<Peer, string>>): readonly string[]
  /** Environment variables that it is run with. */
  variables(task: Task): Readonly<Record<string, string>>
}

/**
 * glibc gives large blocks back to the system at once and takes new ones page by page: AutoAWQ's clip search, which makes
 * such blocks in a loop, is then several times slower. With these it keeps them. The peers get them; `awq` runs as it is.
 */
const allocator = {
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: '40000000000',
  MALLOC_TOP_PAD_: '67108864',
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
}

/** The option of both command lines and both scripts. */
const settingOptions = ({ bits, groupSize }: Setting): string[] => ['--bits', `${bits}`, '--group-size', `${groupSize}`]

const peer = (key: string, name: string, program: Peer, script: string, method: readonly string[]): Contestant => ({
  key,
  name,
  ours: false,
  invocation: ({ model, calibration, tokens, threads, setting, output, save }, pythons) => [
    ...[pythons[program], here(`peers/${script}`), ...method, model, tokens, '--text', calibration],
    ...['--threads', `${threads}`, ...settingOptions(setting), ...(save ? ['--save', output] : [])],
  ],
  variables: ({ threads }) => ({
    ...allocator,
    OMP_NUM_THREADS: `${threads}`,
    TOKENIZERS_PARALLELISM: 'false',
    HF_HUB_OFFLINE: '1',
    PYTHONWARNINGS: 'ignore',
  }),
})

const llmCompressor = (method: string, label: string): Contestant =>
  peer(`llmc-${method}`, `llm-compressor, ${label}`, 'llm-compressor', 'llm_compressor.py', [method])

/** A method of this project; head and embedding stay float, which is all that the peers do with them. */
const ours = (method: string): Contestant => ({
  key: `ours-${method}`,
  name: `awq, ${method}`,
  ours: true,
  invocation: ({ model, calibration, samples, length, threads, setting, output }) => [
    ...[process.execPath, awq, 'quantize', model, '-o', output, '--method', method, ...settingOptions(setting)],
    ...['--calibration', calibration, '--samples', `${samples}`, '--length', `${length}`],
    ...['--head-bits', '16', '--embedding-bits', '16', '--threads', `${threads}`, '--json'],
  ],
  variables: () => ({}),
})

/** Those that take part unless others are named. */
export const defaultKeys = [
  'ours-rtn',
  'ours-awq',
  'ours-awq-gptq',
  'autoawq',
  'llmc-awq',
  'llmc-gptq',
  'llmc-awq-gptq',
]

const peers: readonly Contestant[] = [
  peer('autoawq', 'AutoAWQ', 'autoawq', 'autoawq.py', []),
  llmCompressor('rtn', 'rounding'),
  llmCompressor('awq', 'AWQ'),
  llmCompressor('gptq', 'GPTQ'),
  llmCompressor('awq-gptq', 'AWQ and GPTQ'),
]

/** The contestant of a key; `ours-NAME` is any method that `awq quantize` knows. Throws for others. */
export const contestant = (key: string): Contestant => {
  const found = peers.find((candidate) => candidate.key === key)
  if (found) return found
  if (key.startsWith('ours-')) return ours(key.slice('ours-'.length))
  throw new Error(`no contestant is called ${key}; there are ours-METHOD, ${peers.map((one) => one.key).join(', ')}`)
}
