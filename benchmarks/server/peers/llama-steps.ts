// llama.cpp's own library deciding one token of several sequences in one call: what any server over it can at most reach.
//
//   npx node --conditions @awq/source benchmarks/server/peers/llama-steps.ts FILE.gguf PEERS_FOLDER [1,8] [CONTEXT] [STEPS] [THREADS]
import { join } from 'node:path'
import koffi from 'koffi'
import { openLlamaLibrary } from '../../runtime/peers/llama-library.ts'

const [file, peers, sizes = '1,8', length = '32', steps = '48', threads = '2'] = process.argv.slice(2)
const library = openLlamaLibrary(join(peers!, 'node_modules'))
const all = sizes.split(',').map(Number)
const most = Math.max(...all)
const tokens = Number(length) + Number(steps) + 2
const model = library.openModel(file!, { ...library.modelDefaults(), n_gpu_layers: 0 })
const context = library.openContext(model, {
  ...library.contextDefaults(),
  ...{ n_ctx: Math.max(1024, most * tokens), n_batch: 512, n_ubatch: 512, n_seq_max: most, kv_unified: true },
  ...{ n_threads: Number(threads), n_threads_batch: Number(threads), flash_attn_type: 1 },
})
if (!context) throw new Error('llama.cpp cannot make a context')
const vocabulary = library.vocabularySize(library.vocabulary(model))

/** Room for a batch: tokens, positions, and for each the one sequence it belongs to. */
const room = 512
const int32 = () => {
  const memory = koffi.alloc('int32_t', room)
  return { memory, values: new Int32Array(koffi.view(memory, 4 * room)) }
}
const [ids, positions, counts, sequences] = [int32(), int32(), int32(), int32()]
const flags = koffi.alloc('int8_t', room)
const wanted = new Int8Array(koffi.view(flags, room))
const pointers = koffi.alloc('uint64_t', room)
const addresses = new BigUint64Array(koffi.view(pointers, 8 * room))
for (let i = 0; i < room; i++) addresses[i] = BigInt(koffi.address(sequences.memory)) + BigInt(4 * i)
counts.values.fill(1)

interface Row {
  readonly id: number
  readonly position: number
  readonly sequence: number
}

/** Runs rows; the arg-max behind each of the last `rows`. */
const run = (batch: readonly Row[], rows: number): number[] => {
  for (const [i, { id, position, sequence }] of batch.entries()) {
    ids.values[i] = id
    positions.values[i] = position
    sequences.values[i] = sequence
    wanted[i] = i >= batch.length - rows ? 1 : 0
  }
  const status = library.decode(context, {
    ...{ n_tokens: batch.length, token: ids.memory, embd: null, pos: positions.memory },
    ...{ n_seq_id: counts.memory, seq_id: pointers, logits: flags },
  })
  if (status !== 0) throw new Error(`llama_decode returned ${status}`)
  return Array.from({ length: rows }, (_, row) => {
    const index = batch.length - rows + row
    const logits = new Float32Array(koffi.view(library.logits(context, index), vocabulary * 4))
    let best = 0
    for (let i = 1; i < vocabulary; i++) if (logits[i]! > logits[best]!) best = i
    return best
  })
}

const rate = (count: number): number => {
  library.clearMemory(library.memory(context), true)
  const prompt = Number(length)
  let next = Array.from({ length: count }, (_, sequence) => {
    const rows = Array.from({ length: prompt }, (_, i) => ({
      ...{ id: (i * 7919 + sequence * 104_729 + 11) % vocabulary, position: i, sequence },
    }))
    return run(rows, 1)[0]!
  })
  const start = performance.now()
  for (let step = 0; step < Number(steps); step++) {
    const position = prompt + step
    next = run(
      next.map((id, sequence) => ({ id, position, sequence })),
      count,
    )
  }
  return (count * Number(steps)) / ((performance.now() - start) / 1000)
}
rate(1)
for (const count of all) {
  const rates = [rate(count), rate(count), rate(count)].sort((a, b) => a - b)
  console.log(JSON.stringify({ sequences: count, tokensPerSecond: Math.round(rates[1]!), best: Math.round(rates[2]!) }))
}
process.exit(0)
