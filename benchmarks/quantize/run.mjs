// Time and memory of quantizing one model by awq and by llm-compressor, interleaved on the same cores.
//
//   node benchmarks/quantize/run.mjs MODEL_DIR CALIBRATION.txt [--python PYTHON] [--samples 4] [--length 512] [--rounds 1]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: 'python3' },
    samples: { type: 'string', default: '4' },
    length: { type: 'string', default: '512' },
    rounds: { type: 'string', default: '1' },
  },
})
const [model, calibration] = positionals
if (!model || !calibration) {
  console.error('usage: run.mjs MODEL_DIR CALIBRATION.txt [--python PYTHON] [--samples N] [--length N] [--rounds N]')
  process.exit(2)
}
const threads = String(cpus().length)
const size = ['--bits', '4', '--group-size', '64', '--samples', values.samples, '--length', values.length]
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'awq-benchmark-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

/** Runs a command and parses the last line of its output. */
const measure = (command, args) => {
  const env = { ...process.env, OMP_NUM_THREADS: threads, TOKENIZERS_PARALLELISM: 'false' }
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28, env })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stderr.slice(-2000)}`)
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

let outputs = 0
const awq = (method) => () =>
  measure(process.execPath, [
    here('../../packages/cli/bin/awq.mjs'),
    ...['quantize', model, '-o', join(scratch, String(outputs++)), '--method', method, '--calibration', calibration],
    ...['--head-bits', '16', '--embedding-bits', '16', '--threads', threads, '--json', ...size],
  ])
const peer = (method) => () =>
  measure(values.python, [here('llm_compressor.py'), method, model, calibration, '--threads', threads, ...size])

const contenders = {
  'llm-compressor awq': peer('awq'),
  'awq: awq': awq('awq'),
  'llm-compressor gptq': peer('gptq'),
  'awq: gptq': awq('gptq'),
  'awq: awq-gptq': awq('awq-gptq'),
}
const runs = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
for (let round = 0; round < Number(values.rounds); round++)
  for (const [name, run] of Object.entries(contenders)) {
    const { seconds, peakRssBytes } = run()
    runs[name].push({ seconds, peakRssBytes })
    console.error(`${name}: ${seconds.toFixed(1)} s`)
  }
const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]
const seconds = (name) => median(runs[name].map((run) => run.seconds))
console.log(`${values.samples} x ${values.length} tokens, 4 bits, group 64, ${threads} threads`)
console.log('| program and method | seconds | peak RSS, MiB | times as fast as llm-compressor awq |')
console.log('| --- | --- | --- | --- |')
for (const name of Object.keys(contenders)) {
  const memory = median(runs[name].map((run) => run.peakRssBytes)) / 2 ** 20
  const ratio = seconds('llm-compressor awq') / seconds(name)
  console.log(`| ${name} | ${seconds(name).toFixed(1)} | ${memory.toFixed(0)} | ${ratio.toFixed(1)} |`)
}
