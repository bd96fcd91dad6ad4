// Steps of several generations in one process, beside the rate of a prompt of 512 tokens; wall time and processor time.
//
//   node --conditions=@awq/source benchmarks/server/steps.ts QUANTIZED_DIR [1,8,16] [CONTEXT] [STEPS] [fast] [THREADS] [SESSIONS] [sleep]
//
// With several sessions the generations are dealt out among them, and the threads too: 2 threads and 2 sessions are two half
// batches of one thread each, which run at once.
import { createEngine } from '@awq/ort'
import { createRandom } from '@awq/runtime'
import { loadModel } from '@awq/runtime/node'

const [
  model,
  sizes = '1,8,16',
  context = '32',
  steps = '48',
  accuracy = 'fast',
  threads = '2',
  sessions = '1',
  wait = 'spin',
] = process.argv.slice(2)
const spin = wait === 'spin'
const options = { accuracy: accuracy as 'fast' | 'exact', batch: { maxBatch: 64 } }
const engine = await createEngine({ threads: Number(threads), spin })
const loaded = await loadModel(model!, { ...options, engine })
const share = await createEngine({ threads: Math.max(1, Math.floor(Number(threads) / Number(sessions))), spin })
const halves =
  Number(sessions) === 1
    ? [loaded]
    : await Promise.all(
        Array.from({ length: Number(sessions) }, () => loadModel(model!, { ...options, engine: share })),
      )
const random = createRandom(1)
const { vocabSize } = loaded.description.config
const prompt = (length: number) => Array.from({ length }, () => Math.floor(random.next() * vocabSize))

interface Rate {
  readonly wall: number
  /** Tokens per second of processor time, both cores together. */
  readonly processor: number
}

const clock = () => {
  const { user, system } = process.cpuUsage()
  return { wall: performance.now() / 1000, processor: (user + system) / 1e6 }
}
const since = (start: ReturnType<typeof clock>, tokens: number): Rate => {
  const now = clock()
  return { wall: tokens / (now.wall - start.wall), processor: tokens / (now.processor - start.processor) }
}

const readPrompt = async (): Promise<Rate> => {
  const start = clock()
  await loaded.generate({ ids: prompt(512) }, { maxNewTokens: 1, ignoreEos: true }).result
  return since(start, 512)
}

/** All have read their prompts when the time begins. */
const step = async (count: number): Promise<Rate> => {
  const tokens = Number(steps)
  let begun = 0
  let start = clock()
  let go = (): void => {}
  const ready = new Promise<void>((resolve) => {
    go = resolve
  })
  const write = async (place: number): Promise<void> => {
    const part = halves[place % halves.length]!
    const options = { maxNewTokens: tokens + 1, ignoreEos: true, temperature: 0 }
    for await (const { index } of part.generate({ ids: prompt(Number(context)) }, options)) {
      if (index > 0) continue
      if (++begun === count) {
        start = clock()
        go()
      }
      await ready
    }
  }
  await Promise.all(Array.from({ length: count }, (_, place) => write(place)))
  return since(start, count * tokens)
}

/** The best of three: others take their share of the machine. */
const best = async (work: () => Promise<Rate>): Promise<Rate> => {
  const rates = [await work(), await work(), await work()]
  return {
    wall: Math.max(...rates.map(({ wall }) => wall)),
    processor: Math.max(...rates.map(({ processor }) => processor)),
  }
}

const show = (name: string, { wall, processor }: Rate, of?: Rate): void => {
  const share = of ? `, ${(wall / of.wall).toFixed(2)} of the prompt's` : ''
  console.log(`${name}: ${wall.toFixed(0)} tok/s, ${processor.toFixed(0)} per second of processor${share}`)
}

await readPrompt()
const whole = await best(readPrompt)
show('prompt of 512', whole)
for (const count of sizes.split(',').map(Number)) show(`${count} at a time`, await best(() => step(count)), whole)
for (const part of new Set([loaded, ...halves])) await part.dispose()
for (const one of [engine, share]) await one.dispose()
