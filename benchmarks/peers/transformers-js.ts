// transformers.js from a folder that it was installed in; it is not there where types are checked.
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

interface Model {
  generate(options: object): Promise<unknown>
}

/** What the benchmarks use of it. */
interface Transformers {
  env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string }
  AutoModelForCausalLM: { from_pretrained(name: string, options: object): Promise<Model> }
  BaseStreamer: new () => object
  Tensor: new (type: 'int64', data: BigInt64Array, shape: number[]) => object
}

/** The module. */
export const importTransformers = async (peers: string): Promise<Transformers> => {
  const entry = join(peers, 'node_modules', '@huggingface', 'transformers', 'dist', 'transformers.node.mjs')
  return (await import(pathToFileURL(entry).href)) as Transformers
}

/** A model of 4 bits on the CPU, from a local folder. */
export const loadTransformers = async (
  { env, AutoModelForCausalLM }: Transformers,
  { model, threads }: { readonly model: string; readonly threads: number },
): Promise<Model> => {
  env.allowRemoteModels = false
  env.allowLocalModels = true
  env.localModelPath = dirname(model)
  return await AutoModelForCausalLM.from_pretrained(basename(model), {
    dtype: 'q4',
    device: 'cpu',
    use_external_data_format: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  })
}
