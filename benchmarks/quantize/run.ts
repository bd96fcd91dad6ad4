// Quantizes one model by this project, AutoAWQ and llm-compressor, in turns on the same cores, and prints time, memory and
// what is left of the model's quality, with ratios.
//
//   npx node --conditions=@awq/source benchmarks/quantize/run.ts MODEL_DIR CALIBRATION.txt [options]
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Contestant, contestant, defaultKeys, type Setting } from './contestants.ts'
import { evaluate } from './evaluate.ts'
import { python } from './folders.ts'
import { measure, type Run } from './measure.ts'
import { scratchFolder } from './scratch.ts'
import { type Quality, type Row, settingTable } from './table.ts'
import { writeTokens } from './tokens.ts'
import { layerCount, truncateModel } from './truncate.ts'

const usage = `usage: run.ts MODEL_DIR CALIBRATION.txt [options]
  --settings A,B   bits x group: 4x64,3x64,2x32 (default 4x64)
  --methods A,B    who takes part (default ${defaultKeys.join(',')}); ours-NAME is a method of awq quantize
  --samples N, --length N  calibration: so many blocks of so many tokens (default 16 and 512)
  --layers N       cut the model to its first N layers: seconds per layer, where a peer takes an hour
  --rounds N       turns (default 1); figures are medians
  --eval TEXT      also measure perplexity and KL on this text (not with --layers)
  --max-windows N  windows of 2048 tokens of that text (default 5)
  --threads N      (default one per core)
  --output DIR     keep the quantized models there
  --autoawq PYTHON, --llm-compressor PYTHON  environments other than those of install.ts
  --json           print JSON, every run included, instead of tables`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    settings: { type: 'string', default: '4x64' },
    methods: { type: 'string', default: defaultKeys.join(',') },
    samples: { type: 'string', default: '16' },
    length: { type: 'string', default: '512' },
    layers: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    eval: { type: 'string' },
    'max-windows': { type: 'string', default: '5' },
    threads: { type: 'string', default: String(cpus().length) },
    output: { type: 'string' },
    autoawq: { type: 'string', default: python('autoawq') },
    'llm-compressor': { type: 'string', default: python('llm-compressor') },
    json: { type: 'boolean', default: false },
  },
})
const [whole, calibration] = positionals.map((path) => resolve(path))
if (!whole || !calibration || (values.eval && values.layers)) {
  console.error(usage)
  process.exit(2)
}

const settings: Setting[] = values.settings.split(',').map((text) => {
  const [, bits, groupSize] = /^([2348])x(-1|\d+)$/.exec(text) ?? []
  if (!bits) throw new Error(`${text} is no setting; write bits x group, as in 4x64`)
  return { bits: Number(bits), groupSize: Number(groupSize) }
})
const taking = values.methods.split(',').map(contestant)
const pythons = { autoawq: values.autoawq, 'llm-compressor': values['llm-compressor'] }
const size = { samples: Number(values.samples), length: Number(values.length), threads: Number(values.threads) }
const scratch = scratchFolder()
const outputs = values.output ? resolve(values.output) : scratch

const model = values.layers ? join(scratch, 'model') : whole
if (values.layers) await truncateModel(whole, Number(values.layers), model)
const tokens = join(scratch, 'tokens.json')
const found = await writeTokens(tokens, model, calibration, size)
if (found < size.samples) throw new Error(`${calibration} gives ${found} blocks, not ${size.samples}`)

const qualityOf = (path: string): Promise<Quality> =>
  evaluate(path, model, values.eval!, { maxWindows: Number(values['max-windows']), threads: size.threads })

/** One run; in the first round with what is evaluated afterwards. */
const take = async (one: Contestant, setting: Setting, round: number): Promise<Run & { quality?: Quality }> => {
  const output = join(outputs, `${one.key}-${setting.bits}x${setting.groupSize}${round === 0 ? '' : `-${round}`}`)
  if (existsSync(output)) throw new Error(`${output} is there already`)
  const evaluated = round === 0 && values.eval !== undefined
  const save = round === 0 && (evaluated || values.output !== undefined)
  const task = { model, calibration, tokens, ...size, setting, output, save }
  const run = await measure(one.invocation(task, pythons), one.variables(task))
  console.error(`${one.name}, ${setting.bits} bits, group ${setting.groupSize}: ${run.seconds.toFixed(1)} s`)
  const quality = evaluated ? { quality: await qualityOf(output) } : {}
  if (!save || !values.output) await rm(output, { recursive: true, force: true })
  return { ...run, ...quality }
}

/** The line in which Python names the error, if there is one. */
const refusalOf = (lines: readonly string[]): string =>
  (lines.findLast((line) => /^[\w.]*Error\b/.test(line)) ?? lines.at(-1)!).slice(0, 160)

/** The rounds of all contestants with one setting; one that fails is not tried again. */
const compete = async (setting: Setting): Promise<Row[]> => {
  const runs = new Map<string, (Run & { quality?: Quality })[]>(taking.map(({ key }) => [key, []]))
  const refusals = new Map<string, string>()
  for (let round = 0; round < Number(values.rounds); round++)
    for (const one of taking.filter(({ key }) => !refusals.has(key)))
      try {
        runs.get(one.key)!.push(await take(one, setting, round))
      } catch (error) {
        const lines = (error as Error).message.trim().split('\n')
        refusals.set(one.key, refusalOf(lines))
        console.error(`${one.name}: ${lines.slice(-5).join('\n')}`)
      }
  return taking.map(({ key, name }) => {
    const own = runs.get(key)!
    return { key, name, runs: own, quality: own[0]?.quality, refusal: refusals.get(key) }
  })
}

await mkdir(outputs, { recursive: true })
const layers = await layerCount(model)
const float = values.eval ? (await qualityOf(model)).perplexity : undefined
for (const setting of settings) {
  const rows = await compete(setting)
  const reference = rows.find(({ key, runs }) => key.startsWith('ours-') && key !== 'ours-rtn' && runs.length > 0)
  if (values.json) console.log(JSON.stringify({ ...setting, ...size, layers, float, rows }))
  else {
    const about = `${setting.bits} bits, group ${setting.groupSize}, ${size.samples} x ${size.length} tokens`
    const perplexity = float === undefined ? '' : `, float perplexity ${float.toFixed(2)}`
    console.log(`${about}, ${layers} layers, ${size.threads} threads${perplexity}\n`)
    console.log(`${settingTable(rows, reference ?? rows[0]!, layers, float)}\n`)
  }
}
