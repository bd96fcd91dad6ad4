/**
 * GGUF, the files of llama.cpp, as a format.
 * @module
 */
import type { Format } from '../format.ts'
import { ggufFiles } from './files.ts'
import { readGguf } from './read.ts'
import { ggufForms, ggufProblems, writeGguf } from './write.ts'

/**
 * Read: floats, Q4_0, Q4_1, Q5_0 and Q8_0 as integers, K-quants as the numbers that they stand for. Written: 2, 3 and 4 bits as
 * Q4_0 and Q4_1, 8 symmetric bits as Q8_0, floats as they are.
 */
export const ggufFormat: Format = {
  name: 'gguf',
  title: 'one file for llama.cpp and the programs built on it',
  usage: [
    'llama.cpp and the programs built on it (ollama, LM Studio, node-llama-cpp) read `model.gguf`:',
    '',
    '```sh',
    'llama-cli -m OUT/model.gguf',
    '```',
  ].join('\n'),
  recognise: async (folder) => (await ggufFiles(folder)).length > 0,
  read: readGguf,
  problems: ggufProblems,
  forms: ggufForms,
  write: writeGguf,
}
