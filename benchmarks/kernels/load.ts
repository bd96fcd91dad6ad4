// Whether a graph that ONNX Runtime has optimised and packed before loads faster than the model's own files.
//
//   node --conditions=@awq/source benchmarks/kernels/load.ts QUANTIZED_DIR --cache DIR [--rounds 3] [--threads 2]
//
// Takes the decoder graph that @awq/runtime loads, has onnxruntime-node (the same library; this engine has no option for
// it) write it optimised, once with its weights as they are and once as the kernels pack them, and loads each in a process
// of its own. Prints seconds, the process's memory after it (RSS, of which private), and the cache's size on disk.
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { createEngine, type Engine } from '@awq/ort'
import { loadModel } from '@awq/runtime/node'
import { InferenceSession } from 'onnxruntime-node'
import { inTurns, markdown, pair } from './rounds.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cache: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    worker: { type: 'boolean', default: false },
    weights: { type: 'string', default: '' },
  },
})
const common = { intraOpNumThreads: Number(values.threads), logSeverityLevel: 3 } as const

/** How a cached graph is written: where its weights go, and whether as the kernels pack them. */
const written = (file: string, packed: boolean) => ({
  'session.optimized_model_external_initializers_file_name': `${file}.data`,
  'session.optimized_model_external_initializers_min_size_in_bytes': '1024',
  ...(packed ? { 'session.save_external_prepacked_constant_initializers': '1' } : {}),
})

/** The decoder graph of a model and where its weights are, as the runtime gives them to its engine. */
async function decoderGraph(directory: string): Promise<{ model: Uint8Array; weights: string }> {
  const engine = await createEngine({ engine: 'native' })
  const found: { model: Uint8Array; weights: string }[] = []
  const watched: Engine = {
    ...engine,
    name: engine.name,
    device: engine.device,
    features: engine.features,
    threads: engine.threads,
    createSession(model, options) {
      found.push({ model, weights: options?.externalDirectory ?? '' })
      return engine.createSession(model, options)
    },
    upload: (tensor) => engine.upload(tensor),
    allocate: (dtype, shape) => engine.allocate(dtype, shape),
    dispose: () => engine.dispose(),
  }
  await using _ = await loadModel(directory, { engine: watched, accuracy: 'fast' })
  // The decoder is the largest of the graphs.
  return found.sort((a, b) => b.model.length - a.model.length)[0]!
}

/** Loads one graph in this process and prints what it took. */
async function load(file: string): Promise<void> {
  const extra = values.weights ? { session: { model_external_initializers_file_folder_path: values.weights } } : {}
  const model = values.weights ? await readFile(file) : file
  const cached = !values.weights
  const begun = performance.now()
  const options = { ...common, extra, graphOptimizationLevel: cached ? 'disabled' : 'all' } as const
  const session = await InferenceSession.create(model as string, options)
  const seconds = (performance.now() - begun) / 1000
  const status = await readFile('/proc/self/status', 'utf8')
  const kib = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1])
  console.log(JSON.stringify({ seconds, rss: kib('VmRSS') / 1024, anonymous: kib('RssAnon') / 1024 }))
  await session.release()
}

/** All bytes of the files whose names begin so. */
async function sizeOf(directory: string, start: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(start))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size))
  return sizes.reduce((total, size) => total + size, 0)
}

async function compare(directory: string, cache: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const { model, weights } = await decoderGraph(directory)
  const plain = join(cache, 'plain.onnx')
  await writeFile(plain, model)
  const kinds = [{ name: 'plain', file: plain, folder: weights, write: 0 }]
  for (const packed of [false, true]) {
    const name = packed ? 'packed' : 'optimised'
    const file = join(cache, `${name}.onnx`)
    await rm(file, { force: true })
    await rm(`${file}.data`, { force: true })
    const session: Record<string, string> = { model_external_initializers_file_folder_path: weights }
    for (const [key, value] of Object.entries(written(`${name}.onnx`, packed))) session[key.slice(8)] = value
    const begun = performance.now()
    try {
      const made = await InferenceSession.create(model, { ...common, optimizedModelFilePath: file, extra: { session } })
      await made.release()
      kinds.push({ name, file, folder: '', write: (performance.now() - begun) / 1000 })
    } catch (error) {
      console.log(`${name}: ${(error as Error).message}`)
    }
  }
  const run = promisify(execFile)
  const memory = new Map<string, { rss: number; anonymous: number }>()
  const subjects = kinds.map(({ name, file, folder }) => ({
    name,
    async measure() {
      const flags = ['--conditions=@awq/source', fileURLToPath(import.meta.url), file, '--worker']
      const { stdout } = await run(process.execPath, [...flags, '--threads', values.threads, '--weights', folder])
      const figures = JSON.parse(stdout) as { seconds: number; rss: number; anonymous: number }
      memory.set(name, figures)
      return figures.seconds
    },
  }))
  const times = await inTurns(subjects, Number(values.rounds))
  const rows = []
  for (const [index, time] of times.entries()) {
    const { rss, anonymous } = memory.get(time.name)!
    const megabytes = (await sizeOf(cache, `${time.name}.onnx`)) / 1e6
    const cells = [time.name, pair(time, 2), rss.toFixed(0), anonymous.toFixed(0), megabytes.toFixed(1)]
    rows.push([...cells, kinds[index]!.write.toFixed(1)])
  }
  console.log(markdown(['graph', 'load, s', 'RSS, MiB', 'of it anonymous', 'cache on disk, MB', 'write, s'], rows))
}

const [target] = positionals
if (target === undefined || (!values.worker && values.cache === undefined)) {
  console.error('usage: load.ts QUANTIZED_DIR --cache DIR [--rounds 3] [--threads 2]')
  process.exit(2)
}
if (values.worker) await load(target)
else await compare(target, resolve(values.cache!))
