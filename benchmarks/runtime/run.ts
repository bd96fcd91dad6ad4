// Times this runtime and its peers on the same model, in turns, and prints figures and ratios.
//
//   npx node benchmarks/runtime/run.ts --model NAME MODEL_DIR [options]
import { readFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Contestant, contestants, defaultThreads, type Plan } from './contestants.ts'
import { measure } from './measure.ts'
import { prepare } from './prepare.ts'
import { type Measurement, ratios, type Summary, summarize } from './summary.ts'
import { figuresTable, ratiosTable } from './table.ts'

const usage = `usage: run.ts --model NAME MODEL_DIR
  --peers A,B      who takes part, by these names or how they begin (default: all but those in brackets):
                   ${contestants.map(({ key, optional }) => (optional ? `(${key})` : key)).join(', ')}
  --rounds N       turns (default 3); figures are medians
  --repeat N       times that each figure is taken in a turn (default 3)
  --contexts A,B   prompt lengths before the timed tokens (default 16,512,1500)
  --tokens N       timed tokens (default 64)
  --prompt-tokens N  length of the prompt that is timed (default 512)
  --threads N      (default ${defaultThreads})
  --prefix COMMAND put before every measured process, such as "taskset -c 0,1"
  --json           print JSON, every measurement included, instead of tables`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    peers: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    repeat: { type: 'string', default: '3' },
    contexts: { type: 'string', default: '16,512,1500' },
    tokens: { type: 'string', default: '64' },
    'prompt-tokens': { type: 'string', default: '512' },
    threads: { type: 'string', default: String(defaultThreads) },
    prefix: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
})
if (!values.model || !positionals[0]) {
  console.error(usage)
  process.exit(2)
}

/** Ids spread over the vocabulary, the same in every run: a linear congruential generator. */
const pseudoRandomIds = (length: number, vocabulary: number): number[] => {
  let state = 12345
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * vocabulary)
  })
}

const folder = resolve(positionals[0])
const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as { vocab_size: number }
const contexts = values.contexts.split(',').map(Number)
const prefill = Number(values['prompt-tokens'])
const plan: Plan = {
  name: values.model,
  folder,
  threads: Number(values.threads),
  contexts,
  generate: Number(values.tokens),
  prefill,
  repeats: Number(values.repeat),
  prompt: pseudoRandomIds(Math.max(prefill, ...contexts), config.vocab_size),
}
const prefix = values.prefix.split(' ').filter((word) => word)
const names = values.peers?.split(',')
const chosen = contestants.filter(({ key, optional }) =>
  names ? names.some((name) => (optional ? key === name : key.startsWith(name))) : !optional,
)
if (chosen.length === 0) throw new Error(`nobody is called ${values.peers}`)

const taking: Contestant[] = []
for (const contestant of chosen)
  try {
    if (contestant.format !== 'float') await prepare(plan.name, folder, contestant.format)
    taking.push(contestant)
  } catch (error) {
    console.error(`${contestant.key} stays out: its model could not be made: ${(error as Error).message}`)
  }

const measurements = new Map<string, Measurement[]>(taking.map(({ key }) => [key, []]))
// Whoever has waited long enough still gets the tables of what was measured.
let interrupted = false
process.once('SIGINT', () => {
  interrupted = true
})
for (let round = 0; round < Number(values.rounds); round++)
  // Every round starts with another contestant: nobody is always measured after the same one.
  for (let turn = 0; turn < taking.length && !interrupted; turn++) {
    const contestant = taking[(turn + round) % taking.length]!
    try {
      const measurement = await measure(round, contestant.invoke(plan), prefix)
      measurements.get(contestant.key)!.push(measurement)
      const speeds = measurement.figures.decode.map(({ tokensPerSecond }) => tokensPerSecond.toFixed(1))
      const note = measurement.disturbed ? `, disturbed: ${measurement.otherCores?.toFixed(2)} cores of other work` : ''
      console.error(`round ${round + 1}, ${contestant.key}: ${speeds.join(' ')} tokens/s${note}`)
    } catch (error) {
      console.error(`round ${round + 1}, ${contestant.key} failed: ${(error as Error).message}`)
    }
  }

const summaries: Summary[] = taking.flatMap((contestant) => {
  const rounds = measurements.get(contestant.key)!
  return rounds.length > 0 ? [summarize(contestant, rounds, contexts)] : []
})
const ours = summaries.find(({ key }) => key === 'ours')
const others = summaries.filter((summary) => summary !== ours)
const compared = ours ? ratios(ours, others) : []
const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem() }
if (values.json) {
  const { prompt: _, ...settings } = plan
  const runs = Object.fromEntries(measurements)
  console.log(
    JSON.stringify({ machine, ...settings, rounds: Number(values.rounds), summaries, ratios: compared, runs }),
  )
} else {
  console.log(
    `${plan.name} on ${machine.processor}, ${plan.threads} threads: tokens/s, median of up to ${values.rounds} rounds in ` +
      `turns; ${plan.generate} tokens after the context, greedy, batch 1\n`,
  )
  console.log(figuresTable(summaries, prefill))
  if (summaries.some(({ disturbedRounds }) => disturbedRounds > 0))
    console.log('\nA star for each round in which the machine had other work.')
  if (ours && compared.length > 0) console.log(`\n${ratiosTable(ours, compared, prefill)}`)
}
if (summaries.length < chosen.length) process.exitCode = 1
