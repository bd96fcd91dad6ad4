// How long the event loop stands still while a model writes.
//
//   node benchmarks/responsiveness/run.ts MODEL_DIR [--tokens 128] [--prompt-tokens 512] [--threads N] [--engine NAME] [--spin false]
//
// Decodes while a timer runs every few milliseconds, and prints one line of JSON: the longest wait between two turns of
// the loop (largestStallMs, against the 20 ms that a server should stay below), percentiles, and tokens per second.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { loadModel } from '@awq/runtime/node'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string', default: '128' },
    'prompt-tokens': { type: 'string', default: '512' },
    threads: { type: 'string' },
    engine: { type: 'string' },
    spin: { type: 'string', default: 'true' },
  },
})
const [reference] = positionals
if (reference === undefined) {
  console.error('usage: run.ts MODEL_DIR [--tokens N] [--prompt-tokens N] [--threads N] [--engine NAME] [--spin false]')
  process.exit(2)
}
/** Milliseconds between two turns of the timer that watches. */
const interval = 2

/** Longest wait of the loop beyond the timer's own interval while `work` runs, in milliseconds. */
const watch = async (work: () => Promise<unknown>) => {
  const histogram = monitorEventLoopDelay({ resolution: interval })
  let last = performance.now()
  let largest = 0
  const timer = setInterval(() => {
    const now = performance.now()
    largest = Math.max(largest, now - last - interval)
    last = now
  }, interval)
  histogram.enable()
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  histogram.disable()
  clearInterval(timer)
  // The time since the timer's last turn counts too: a loop that never turned would look idle.
  largest = Math.max(largest, performance.now() - last - interval)
  const milliseconds = (percentile: number): number => Math.max(0, histogram.percentile(percentile) / 1e6 - interval)
  return { seconds, largestStallMs: largest, medianMs: milliseconds(50), p99Ms: milliseconds(99) }
}

const round = (watched: Awaited<ReturnType<typeof watch>>): Record<string, number> =>
  Object.fromEntries(Object.entries(watched).map(([name, value]) => [name, Number(value.toFixed(3))]))

const choice = {
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
  ...(values.engine === undefined ? {} : { engine: values.engine as 'native' | 'onnxruntime-node' }),
  spin: values.spin !== 'false',
}
let model: Awaited<ReturnType<typeof loadModel>> | undefined
const load = await watch(async () => {
  model = await loadModel(reference, choice)
})
if (!model) throw new Error('the model was not loaded')
const loaded = model
const { vocabSize } = loaded.description.config
const write = async (promptTokens: number, maxNewTokens: number): Promise<unknown> =>
  loaded.generate(
    { ids: Array.from({ length: promptTokens }, (_, index) => (index * 7919) % vocabSize) },
    { maxNewTokens, ignoreEos: true },
  ).result
await write(16, 8)
const tokens = Number(values.tokens)
const prefill = await watch(() => write(Number(values['prompt-tokens']), 1))
const decode = await watch(() => write(16, tokens))
const { name, threads } = loaded.opened.engine
console.log(
  JSON.stringify({
    engine: name,
    threads,
    load: round(load),
    prefill: round(prefill),
    decode: { ...round(decode), tokensPerSecond: Number((tokens / decode.seconds).toFixed(1)) },
  }),
)
await loaded.dispose()
