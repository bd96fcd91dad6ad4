// transformers.js behind hono: it writes one text at a time, so requests wait for each other.
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readServerJob, serveTokens } from './sse-server.ts'

/** What this uses of transformers.js, which is not installed where types are checked. */
interface Transformers {
  env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string }
  AutoModelForCausalLM: {
    from_pretrained(name: string, options: object): Promise<{ generate(options: object): Promise<unknown> }>
  }
  BaseStreamer: new () => object
  Tensor: new (type: 'int64', data: BigInt64Array, shape: number[]) => object
}

const job = readServerJob()
const entry = join(job.peers, 'node_modules', '@huggingface', 'transformers', 'dist', 'transformers.node.mjs')
const { env, AutoModelForCausalLM, BaseStreamer, Tensor } = (await import(pathToFileURL(entry).href)) as Transformers
env.allowRemoteModels = false
env.allowLocalModels = true
env.localModelPath = dirname(job.model)
const model = await AutoModelForCausalLM.from_pretrained(basename(job.model), {
  dtype: 'q4',
  device: 'cpu',
  use_external_data_format: true,
  session_options: { intraOpNumThreads: job.threads, interOpNumThreads: 1 },
})

/** Tells of every token: first the prompt's, then those that were made. */
class Told extends BaseStreamer {
  readonly tell: () => void
  constructor(tell: () => void) {
    super()
    this.tell = tell
  }
  put(): void {
    this.tell()
  }
  end(): void {}
}

const tensor = (values: readonly number[]) =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
let before: Promise<unknown> = Promise.resolve()

serveTokens(async function* (ids, count) {
  let told = 0
  let wake = (): void => {}
  const run = before
    .catch(() => {})
    .then(() =>
      model.generate({
        input_ids: tensor(ids),
        attention_mask: tensor(ids.map(() => 1)),
        max_new_tokens: count,
        do_sample: false,
        streamer: new Told(() => {
          told++
          wake()
        }),
      }),
    )
  before = run
  let ended = false
  const end = run.finally(() => {
    ended = true
    wake()
  })
  for (let seen = 0; ; ) {
    while (seen < told - 1) {
      seen++
      yield seen
    }
    if (ended) break
    await new Promise<void>((resolve) => {
      wake = resolve
      if (ended || seen < told - 1) resolve()
    })
  }
  await end
})
