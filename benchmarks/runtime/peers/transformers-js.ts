// transformers.js: `generate`, greedy, timed by a streamer that sees every token.
import { importTransformers, loadTransformers } from '../../peers/transformers-js.ts'
import { answer, readJob, secondsSince } from './job.ts'

const job = readJob()
const library = await importTransformers(job.peers)
const { BaseStreamer, Tensor } = library
const start = performance.now()
const model = await loadTransformers(library, job)
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
