// Where the peers lie.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A program in Python that quantizes models. */
export type Peer = 'autoawq' | 'llm-compressor'

/** A file of this benchmark, by its path from this folder. */
export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The folder that the peers are installed in. */
export const peersFolder = here('.peers')

/** The Python environment of a peer; they need different versions of transformers. */
export const environment = (peer: Peer): string => join(peersFolder, peer)

/** The Python that a peer runs in. */
export const python = (peer: Peer): string =>
  process.platform === 'win32'
    ? join(environment(peer), 'Scripts', 'python.exe')
    : join(environment(peer), 'bin', 'python')

/** The command `awq` of this repository, for Node. */
export const awq = here('../../packages/cli/bin/awq.mjs')
