/**
 * What choosing one token costs: `node benchmarks/sampling/run.mjs [VOCABULARY]` (after `npm run build`).
 * Logits are random in the shape of a language model's: a wide bulk, a few large ones.
 */
import { createRandom, createSampler, samplingSettings } from '@awq/runtime'

const vocabulary = Number(process.argv[2] ?? 128_256)
const random = createRandom(1)
const normal = () => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())

const peaked = Float32Array.from({ length: vocabulary }, () => 2 * normal())
for (let i = 0; i < 30; i++) peaked[Math.floor(random.next() * vocabulary)] = 14 + 2 * normal()
const flat = Float32Array.from({ length: vocabulary }, () => normal())
const context = Array.from({ length: 4096 }, () => Math.floor(random.next() * vocabulary))

const settings = {
  greedy: {},
  'greedy, penalty over 4,096 tokens': { repetitionPenalty: 1.1 },
  'temperature 0.8': { temperature: 0.8 },
  'top-k 50': { temperature: 0.8, topK: 50 },
  'top-p 0.9': { temperature: 0.8, topP: 0.9 },
  'min-p 0.05': { temperature: 0.8, minP: 0.05 },
  'top-p 0.95, min-p 0.01, penalty': { temperature: 0.8, topP: 0.95, minP: 0.01, repetitionPenalty: 1.1 },
  'top-k 50, top-p 0.9, min-p 0.05, penalty': {
    temperature: 0.8,
    topK: 50,
    topP: 0.9,
    minP: 0.05,
    repetitionPenalty: 1.1,
  },
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]

const measure = (logits, options) => {
  const sampler = createSampler(samplingSettings(options), createRandom(7))
  sampler.see(context)
  const times = []
  for (let i = 0; i < 300; i++) {
    const started = performance.now()
    sampler.choose(logits)
    if (i >= 100) times.push(performance.now() - started)
  }
  return median(times)
}

console.log(`Milliseconds for one token of ${vocabulary.toLocaleString('en')}, median of 200:`)
for (const [name, options] of Object.entries(settings)) {
  const figures = [peaked, flat].map((logits) => measure(logits, options).toFixed(3))
  console.log(`${name.padEnd(42)} peaked ${figures[0]}  flat ${figures[1]}`)
}
