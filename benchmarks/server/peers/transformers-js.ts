// transformers.js behind hono: it writes one text at a time, so requests wait for each other.
import { importTransformers, loadTransformers } from '../../peers/transformers-js.ts'
import { readServerJob, serveTokens } from './sse-server.ts'

const job = readServerJob()
const library = await importTransformers(job.peers)
const { BaseStreamer, Tensor } = library
const model = await loadTransformers(library, job)

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
