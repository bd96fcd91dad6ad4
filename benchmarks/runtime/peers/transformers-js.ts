// transformers.js: `generate`, greedy, timed by a streamer that sees every token.
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { answer, readJob, secondsSince } from './job.ts'

/** What this uses of transformers.js, which is not installed where types are checked. */
interface Transformers {
  env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string }
  AutoModelForCausalLM: {
    from_pretrained(name: string, options: object): Promise<{ generate(options: object): Promise<unknown> }>
  }
  BaseStreamer: new () => object
  Tensor: new (type: 'int64', data: BigInt64Array, shape: number[]) => object
}

const job = readJob()
const entry = join(job.peers, 'node_modules', '@huggingface', 'transformers', 'dist', 'transformers.node.mjs')
const { env, AutoModelForCausalLM, BaseStreamer, Tensor } = (await import(pathToFileURL(entry).href)) as Transformers
env.allowRemoteModels = false
env.allowLocalModels = true
env.localModelPath = dirname(job.model)

const start = performance.now()
const model = await AutoModelForCausalLM.from_pretrained(basename(job.model), {
  dtype: 'q4',
  device: 'cpu',
  use_external_data_format: true,
  session_options: { intraOpNumThreads: job.threads, interOpNumThreads: 1 },
})
const loadSeconds = secondsSince(start)

/** Notes when it is given something: first the prompt, then every token. */
class Clock extends BaseStreamer {
  readonly times: number[] = []
  put(): void {
    this.times.push(performance.now())
  }
  end(): void {}
}

const tensor = (values: readonly number[]) =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])

/** Seconds to the first token, and from there to the last of `count` more. */
const generate = async (prompt: readonly number[], count: number): Promise<{ first: number; rest: number }> => {
  const streamer = new Clock()
  const start = performance.now()
  await model.generate({
    input_ids: tensor(prompt),
    attention_mask: tensor(prompt.map(() => 1)),
    max_new_tokens: count + 1,
    min_new_tokens: count + 1,
    do_sample: false,
    streamer,
  })
  const tokens = streamer.times.slice(1)
  if (tokens.length !== count + 1) throw new Error(`transformers.js gave ${tokens.length} tokens, not ${count + 1}`)
  return { first: (tokens[0]! - start) / 1000, rest: (tokens.at(-1)! - tokens[0]!) / 1000 }
}

await answer(job, loadSeconds, {
  prefill: async (prompt) => (await generate(prompt, 0)).first,
  decode: async (prompt, count) => (await generate(prompt, count)).rest,
})
process.exit(0)
