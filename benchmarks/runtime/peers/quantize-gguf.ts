// Quantizes a GGUF file by llama.cpp's own function, which node-llama-cpp ships but does not offer.
//
//   node quantize-gguf.ts PEERS INPUT.gguf OUTPUT.gguf q4_0|q4_1
//
// Embedding and head get the type that llama.cpp chooses for them: Q6_K, or Q8_0 where rows are not a multiple of 256.
import { cpus } from 'node:os'
import { join } from 'node:path'
import { openLlamaLibrary } from './llama-library.ts'

/** `llama_ftype` of llama.h. */
const fileTypes: Record<string, number> = { q4_0: 2, q4_1: 3 }

const [peers, input, output, type] = process.argv.slice(2)
const fileType = fileTypes[type ?? '']
if (!peers || !input || !output || fileType === undefined) {
  console.error('usage: quantize-gguf.ts PEERS INPUT.gguf OUTPUT.gguf q4_0|q4_1')
  process.exit(2)
}
const library = openLlamaLibrary(join(peers, 'node_modules'))
const parameters = { ...library.quantizeDefaults(), nthread: cpus().length, ftype: fileType }
const status = library.quantize(input, output, parameters)
if (status !== 0) throw new Error(`llama_model_quantize returned ${status}`)
