// What a GPU does: whether it computes what the CPU does, how fast 4 bits are against float on the same GPU, and how
// long a scale search takes in the shape of a 7B model. Self-contained, for whoever has one.
//
//   node benchmarks/gpu/run.ts --device cuda --model QUANTIZED_DIR [--float FLOAT_DIR] [--library FOLDER] [--search 7b]
//
// Prints one line of JSON. Nothing here is a pass or a failure: the figures are for whoever reads them.
import { parseArgs } from 'node:util'
import { createEngine, type Device } from '@awq/ort'
import { benchmark, createRandom, greedy } from '@awq/runtime'
import { loadModel } from '@awq/runtime/node'
import { evaluateScales } from '@awq/search'

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    model: { type: 'string' },
    float: { type: 'string' },
    library: { type: 'string' },
    contexts: { type: 'string', default: '16,512,1500' },
    tokens: { type: 'string', default: '64' },
    'prompt-tokens': { type: 'string', default: '512' },
    repeat: { type: 'string', default: '3' },
    positions: { type: 'string', default: '64' },
    search: { type: 'string', default: '7b' },
  },
})
if (values.model === undefined) {
  console.error(`usage: run.ts --device cuda|webgpu --model QUANTIZED_DIR
  --float DIR      the float model, to compare with on the same GPU (float16 on CUDA)
  --library PATH   an ONNX Runtime library with the device's provider
  --contexts A,B   prompt lengths before the timed tokens (default 16,512,1500)
  --tokens N       timed tokens (default 64)      --prompt-tokens N length of the timed prompt (default 512)
  --repeat N       figures are medians (default 3) --positions N  compared with the CPU (default 64)
  --search 7b|tiny|none  shape whose scale search is timed (default 7b)`)
  process.exit(2)
}
const device = values.device as Device
const place = { device, engine: 'native', library: values.library } as const

/** Natural logarithms of the probabilities of a row of logits. */
const logProbabilities = (row: Float32Array): Float64Array => {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity)
  const sum = row.reduce((total, logit) => total + Math.exp(logit - largest), 0)
  return Float64Array.from(row, (logit) => logit - largest - Math.log(sum))
}

/** How far the logits of a model on the device are from those of the same files on the CPU. */
async function compareLogits(model: string) {
  await using cpu = await loadModel(model, { accuracy: 'exact' })
  const random = createRandom(1)
  const { vocabSize } = cpu.description.config
  const count = Math.min(Number(values.positions), cpu.contextLength)
  const ids = Array.from({ length: count }, () => Math.floor(random.next() * vocabSize))
  const expected = await cpu.logits(ids, { all: true })
  await using gpu = await loadModel(model, { ...place, accuracy: 'exact' })
  const made = await gpu.logits(ids, { all: true })
  let largest = 0
  let divergence = 0
  let agreed = 0
  for (const [at, row] of made.entries()) {
    const [p, q] = [logProbabilities(expected[at]!), logProbabilities(row)]
    for (const [i, logit] of row.entries()) largest = Math.max(largest, Math.abs(logit - expected[at]![i]!))
    divergence += p.reduce((sum, logP, i) => sum + Math.exp(logP) * (logP - q[i]!), 0) / count
    if (greedy(row) === greedy(expected[at]!)) agreed += 1 / count
  }
  return { positions: count, largestDifference: largest, klDivergence: divergence, sameTop: agreed }
}

/** Decode and prefill on the device. */
async function speed(model: string) {
  const started = performance.now()
  await using loaded = await loadModel(model, place)
  const loadSeconds = (performance.now() - started) / 1000
  const { decode, prefill } = await benchmark(loaded, {
    contexts: values.contexts.split(',').map(Number),
    tokens: Number(values.tokens),
    promptTokens: Number(values['prompt-tokens']),
    repeat: Number(values.repeat),
  })
  return { kind: loaded.kind, attention: loaded.attention, loadSeconds, decode, prefill }
}

/** Rows and widths of a block's linears that read the same input, and how many blocks there are. */
const shapes = {
  '7b': {
    blocks: 32,
    groups: [
      [3 * 4096, 4096],
      [4096, 4096],
      [2 * 11008, 4096],
      [4096, 11008],
    ],
  },
  tiny: {
    blocks: 5,
    groups: [
      [192, 64],
      [64, 64],
      [344, 64],
      [64, 172],
    ],
  },
} as const

/** Seconds of the 21 candidates of a scale search, for one block and computed for all of them. */
async function search(name: keyof typeof shapes) {
  const engine = await createEngine(place)
  const { blocks, groups } = shapes[name]
  const seconds: number[] = []
  try {
    for (const [rows, width] of groups) {
      const random = createRandom(rows + width)
      const data = Float32Array.from({ length: rows * width }, () => random.next() - 0.5)
      const gram = new Float32Array(width * width)
      for (let i = 0; i < width; i++) gram[i * width + i] = 1 + random.next()
      const problem = {
        weights: [{ data, rows }],
        width,
        gram,
        spec: { bits: 4, groupSize: 64, symmetric: false } as const,
      }
      const scales = Array.from({ length: 21 }, () => Float32Array.from({ length: width }, () => 0.5 + random.next()))
      await evaluateScales(engine, problem, scales.slice(0, 1))
      const started = performance.now()
      await evaluateScales(engine, problem, scales)
      seconds.push((performance.now() - started) / 1000)
    }
  } finally {
    await engine.dispose()
  }
  const block = seconds.reduce((a, b) => a + b)
  return { shape: name, groups: seconds, secondsPerBlock: block, secondsOfAllBlocks: block * blocks }
}

const logits = await compareLogits(values.model)
const quantized = await speed(values.model)
const float = values.float === undefined ? undefined : await speed(values.float)
const ratio = float && {
  decode: quantized.decode.map(({ context, tokensPerSecond }, i) => ({
    context,
    ratio: tokensPerSecond / float.decode[i]!.tokensPerSecond,
  })),
  prefill: quantized.prefill.tokensPerSecond / float.prefill.tokensPerSecond,
}
const searched = values.search === 'none' ? undefined : await search(values.search as keyof typeof shapes)
console.log(JSON.stringify({ device, logits, quantized, float, ratio, search: searched }))
