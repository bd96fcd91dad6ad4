// node-llama-cpp from a folder that it was installed in; it is not there where types are checked.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What the benchmarks use of it. */
export interface Sequence {
  clearHistory(): Promise<void>
  evaluate(tokens: number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>
}
interface Model {
  createContext(options: object): Promise<{ getSequence(): Sequence }>
}
interface NodeLlamaCpp {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<Model> }>
}

/** The module. */
export const importLlama = async (peers: string): Promise<NodeLlamaCpp> => {
  const entry = join(peers, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')
  return (await import(pathToFileURL(entry).href)) as NodeLlamaCpp
}

/** A model on the CPU, with the library that the package ships. */
export const loadLlama = async (
  { getLlama }: NodeLlamaCpp,
  { model, threads }: { readonly model: string; readonly threads: number },
): Promise<Model> => {
  const llama = await getLlama({
    build: 'never',
    gpu: false,
    skipDownload: true,
    maxThreads: threads,
    logLevel: 'error',
  })
  return await llama.loadModel({ modelPath: model, gpuLayers: 0 })
}
