// Whether a graph that ONNX Runtime has optimised and packed before loads faster than the model's own files.
//
//   node --conditions=@awq/source benchmarks/kernels/load.ts QUANTIZED_DIR --cache DIR [--rounds 3] [--threads 2]
//
// Takes the decoder graph that @awq/runtime loads, has onnxruntime-node (the same library; this engine has no option for
// it) write it optimised, once with its weights as they are and once as the kernels pack them, and loads each in a process
// of its own. Prints seconds (best / median), the first token's time, the process's memory after loading and after that
// token (resident / not backed by a file), and the cache's size on disk.
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { createEngine, type Engine } from '@awq/ort'
import { loadModel } from '@awq/runtime/node'
import { InferenceSession, Tensor } from 'onnxruntime-node'
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

/** Memory of this process in MiB: all of it, and the part that no file backs. */
async function memoryNow() {
  const status = await readFile('/proc/self/status', 'utf8')
  const mebibytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
  return { resident: mebibytes('VmRSS'), anonymous: mebibytes('RssAnon') }
}

/** What a worker reports: seconds of loading, milliseconds of the first token, memory before and after that token. */
interface Loaded {
  readonly seconds: number
  readonly first: number
  readonly loaded: Awaited<ReturnType<typeof memoryNow>>
  readonly used: Awaited<ReturnType<typeof memoryNow>>
}

/** Feeds of one token at the start of an empty cache for 16. */
function firstToken(session: InferenceSession): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {}
  for (const input of session.inputMetadata) {
    if (!input.isTensor) continue
    const shape = input.shape.map((size) => (size === 'capacity' ? 16 : typeof size === 'number' ? size : 1))
    const count = shape.reduce((total, size) => total * size, 1)
    if (input.type === 'int64') feeds[input.name] = new Tensor('int64', new BigInt64Array(count), shape)
    // A scalar is the number of tokens, a row the last position.
    else if (input.type === 'int32')
      feeds[input.name] = new Tensor('int32', new Int32Array(count).fill(shape.length === 0 ? 1 : 0), shape)
    else feeds[input.name] = new Tensor('float32', new Float32Array(count), shape)
  }
  return feeds
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
  const loaded = await memoryNow()
  const feeds = firstToken(session)
  const from = performance.now()
  await session.run(feeds)
  const first = performance.now() - from
  console.log(JSON.stringify({ seconds, first, loaded, used: await memoryNow() } satisfies Loaded))
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
  const reports = new Map<string, Loaded>()
  const subjects = kinds.map(({ name, file, folder }) => ({
    name,
    async measure() {
      const flags = ['--conditions=@awq/source', fileURLToPath(import.meta.url), file, '--worker']
      const { stdout } = await run(process.execPath, [...flags, '--threads', values.threads, '--weights', folder])
      const report = JSON.parse(stdout) as Loaded
      reports.set(name, report)
      return report.seconds
    },
  }))
  const times = await inTurns(subjects, Number(values.rounds))
  const rows = []
  for (const [index, time] of times.entries()) {
    const { first, loaded, used } = reports.get(time.name)!
    const memory = [loaded, used].map(({ resident, anonymous }) => `${resident.toFixed(0)} / ${anonymous.toFixed(0)}`)
    const megabytes = (await sizeOf(cache, `${time.name}.onnx`)) / 1e6
    const cells = [time.name, pair(time, 2), first.toFixed(0), ...memory, megabytes.toFixed(1)]
    rows.push([...cells, kinds[index]!.write.toFixed(1)])
  }
  const head = ['graph', 'load, s', 'first token, ms', 'MiB loaded', 'MiB after a token', 'on disk, MB', 'write, s']
  console.log(markdown(head, rows))
}

const [target] = positionals
if (target === undefined || (!values.worker && values.cache === undefined)) {
  console.error('usage: load.ts QUANTIZED_DIR --cache DIR [--rounds 3] [--threads 2]')
  process.exit(2)
}
if (values.worker) await load(target)
else await compare(target, resolve(values.cache!))
