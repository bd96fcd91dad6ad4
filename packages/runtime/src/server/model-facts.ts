import { parameterCount } from '@awq/models'
import { MANIFEST_FILE, readManifest } from '@awq/quantize'
import type { Folder } from '@awq/tensor'
import type { LanguageModel } from '../language-model.ts'

/** What `/v1/models` says of a loaded model under `awq`. What is not known is not there. */
export interface ModelFacts {
  readonly architecture?: string
  /** Weights; a tied table counts once. */
  readonly parameters?: number
  /** Of the weights' files. */
  readonly bytes?: number
  /** Of a quantized model: bits of its matrices, with their scales aside, and weights that share a scale. */
  readonly bits?: number
  readonly group_size?: number
  readonly method?: string
  readonly engine?: string
  readonly device?: string
}

const known = new WeakMap<LanguageModel, Promise<ModelFacts>>()

/** Bytes of the files of a folder's weights. */
export const weightFileBytes = async (folder: Folder): Promise<number> => {
  let bytes = 0
  for (const file of await folder.list()) {
    if (!file.endsWith('.safetensors')) continue
    const source = await folder.open(file)
    bytes += source.size
    await source.close?.()
  }
  return bytes
}

const readFacts = async ({ description, opened, sees }: LanguageModel): Promise<ModelFacts> => {
  const { folder, engine } = opened
  const manifest = (await folder.has(MANIFEST_FILE)) ? await readManifest(folder) : undefined
  return {
    architecture: description.config.modelType,
    parameters: parameterCount(description, { vision: sees }),
    bytes: await weightFileBytes(folder),
    ...(manifest ? { bits: manifest.bits, group_size: manifest.groupSize, method: manifest.method } : {}),
    engine: engine.name,
    device: engine.device,
  }
}

/** Facts of a loaded model, read once. A folder that cannot be read any more makes none of them an error. */
export const modelFacts = (model: LanguageModel): Promise<ModelFacts> => {
  let facts = known.get(model)
  if (!facts) {
    facts = readFacts(model).catch(() => ({}))
    known.set(model, facts)
  }
  return facts
}
