// llama.cpp as a C program would use it: its library called synchronously, arg-max over its own logits.
import { join } from 'node:path'
import koffi from 'koffi'
import { answer, readJob, secondsSince } from './job.ts'
import { openLlamaLibrary } from './llama-library.ts'

const job = readJob()
const library = openLlamaLibrary(join(job.peers, 'node_modules'))

/** Tokens of one call, llama.cpp's own default for a physical batch. */
const chunk = 512
const start = performance.now()
const model = library.openModel(job.model, { ...library.modelDefaults(), n_gpu_layers: 0 })
if (!model) throw new Error(`llama.cpp cannot open ${job.model}`)
const context = library.openContext(model, {
  ...library.contextDefaults(),
  n_ctx: Math.max(2048, ...job.contexts.map((length) => length + job.generate + 1)),
  n_batch: chunk,
  n_ubatch: chunk,
  n_threads: job.threads,
  n_threads_batch: job.threads,
  flash_attn_type: job.flash ? 1 : 0,
})
if (!context) throw new Error('llama.cpp cannot make a context')
const loadSeconds = secondsSince(start)

const memory = library.memory(context)
const vocabulary = library.vocabularySize(library.vocabulary(model))
const tokens = koffi.alloc('int32_t', chunk)
const tokenValues = new Int32Array(koffi.view(tokens, chunk * 4))

/** Appends tokens to the cache; the next token by arg-max. */
const evaluate = (ids: readonly number[]): number => {
  tokenValues.set(ids)
  const batch = {
    n_tokens: ids.length,
    token: tokens,
    embd: null,
    pos: null,
    n_seq_id: null,
    seq_id: null,
    logits: null,
  }
  const status = library.decode(context, batch)
  if (status !== 0) throw new Error(`llama_decode returned ${status}`)
  const logits = new Float32Array(koffi.view(library.logits(context, -1), vocabulary * 4))
  let best = 0
  for (let i = 1; i < vocabulary; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

const readPrompt = (prompt: readonly number[]): number => {
  library.clearMemory(memory, true)
  let next = 0
  for (let at = 0; at < prompt.length; at += chunk) next = evaluate(prompt.slice(at, at + chunk))
  return next
}

await answer(job, loadSeconds, {
  prefill: async (prompt) => {
    const start = performance.now()
    readPrompt(prompt)
    return secondsSince(start)
  },
  decode: async (prompt, count) => {
    let token = readPrompt(prompt)
    const start = performance.now()
    for (let i = 0; i < count; i++) token = evaluate([token])
    return secondsSince(start)
  },
})
