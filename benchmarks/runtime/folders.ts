// Where the peers and their models lie, and which file of a model is whose.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A file of this benchmark, by its path from this folder. */
export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The folder that the peers are installed in. */
export const peersFolder = here('.peers')

/** The Python that genai runs in. */
export const python =
  process.platform === 'win32'
    ? join(peersFolder, 'python', 'Scripts', 'python.exe')
    : join(peersFolder, 'python', 'bin', 'python')

/** The command `awq` of this repository, for Node. */
export const awq = here('../../packages/cli/bin/awq.mjs')

/** A model in the format of a peer; `float` is the folder that all others are made from. */
export type Format = 'float' | 'awq' | 'f16' | 'q4_0' | 'q4_1' | 'genai-int4' | 'genai-fp32' | 'transformers-js'

/** The file or folder of a model in a format. */
export const modelPath = (name: string, format: Exclude<Format, 'float'>): string =>
  join(peersFolder, 'models', name, ['f16', 'q4_0', 'q4_1'].includes(format) ? `${format}.gguf` : format)
