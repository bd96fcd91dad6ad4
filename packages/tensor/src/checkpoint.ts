import { AwqError, messageOf, quoted } from './error.ts'
import { checkFileName, type Folder } from './folder.ts'
import { parseJson } from './parse-json.ts'
import { type Checkpoint, openSafetensors, type TensorEntry } from './safetensors.ts'

/**
 * Opens the safetensors checkpoint of a folder: `model.safetensors`, else the shards that `model.safetensors.index.json`
 * (or the only other `*.safetensors.index.json`) lists, else the only `*.safetensors`. All headers are read and
 * checked; the data stays in the files. A tensor is taken from the shard that the index names.
 * Throws NOT_FOUND when there is none (it says what was looked for), INVALID_FILE when an index and its shards disagree.
 */
export async function openCheckpoint(
  folder: Folder,
  options?: { signal?: AbortSignal | undefined },
): Promise<Checkpoint> {
  const files = await folder.list()
  const single = 'model.safetensors'
  if (files.includes(single)) return openFile(folder, single, options)
  const indexes = files.filter((file) => file.endsWith('.safetensors.index.json'))
  const preferred = `${single}.index.json`
  const index = indexes.includes(preferred) ? preferred : indexes.length === 1 ? indexes[0] : undefined
  if (index !== undefined) return openShards(folder, index, options)
  const others = files.filter((file) => file.endsWith('.safetensors'))
  if (others.length === 1) return openFile(folder, others[0]!, options)
  throw new AwqError('NOT_FOUND', nothingFound(folder.name, files, [...indexes, ...others]))
}

function nothingFound(name: string, files: readonly string[], candidates: readonly string[]): string {
  const wanted = 'model.safetensors, model.safetensors.index.json or a single *.safetensors file'
  if (candidates.length > 0) {
    return `${name}: which file is the model? Looked for ${wanted}; found ${candidates.slice(0, 8).join(', ')}`
  }
  if (files.some((file) => file.endsWith('.bin') || file.endsWith('.pth') || file.endsWith('.gguf'))) {
    return `${name} has weights in another format, but no ${wanted}; convert it to safetensors first`
  }
  return `${name} has no ${wanted}`
}

async function openFile(
  folder: Folder,
  file: string,
  options?: { signal?: AbortSignal | undefined },
): Promise<Checkpoint> {
  return openSafetensors(await folder.open(file), { ...options, file })
}

async function openShards(
  folder: Folder,
  index: string,
  options?: { signal?: AbortSignal | undefined },
): Promise<Checkpoint> {
  const weightMap = parseIndex(await folder.readText(index), `${folder.name}/${index}`)
  const shards = new Map<string, Checkpoint>()
  const close = async () => {
    await Promise.all([...shards.values()].map((shard) => shard.close()))
  }
  try {
    for (const file of [...new Set(weightMap.values())].sort()) {
      shards.set(file, await openShard(folder, index, file, options))
    }
    const tensors = new Map<string, TensorEntry>()
    for (const [name, file] of weightMap) {
      const entry = shards.get(file)?.tensors.get(name)
      if (entry === undefined) {
        throw new AwqError('INVALID_FILE', `${folder.name}/${index} puts ${quoted(name)} into ${file}, which lacks it`)
      }
      tensors.set(name, entry)
    }
    const metadata = Object.assign({}, ...[...shards.values()].map((shard) => shard.metadata))
    return { tensors, metadata, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openShard(folder: Folder, index: string, file: string, options?: { signal?: AbortSignal | undefined }) {
  if (!(await folder.has(file))) {
    const problem = `the shard ${file} that ${index} lists is missing; download the checkpoint again`
    throw new AwqError('NOT_FOUND', `${folder.name}: ${problem}`)
  }
  return openFile(folder, file, options)
}

/** The `weight_map` of an index: tensor name -> file name. File names that leave the folder are refused. */
export function parseIndex(text: string, name: string): Map<string, string> {
  const json = parseJson(text, name)
  const map = isObject(json) && Object.hasOwn(json, 'weight_map') ? json.weight_map : undefined
  if (!isObject(map)) throw new AwqError('INVALID_FILE', `${name} has no object "weight_map"`)
  const result = new Map<string, string>()
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string') {
      throw new AwqError('INVALID_FILE', `${name}: the file of ${quoted(tensor)} is not a string`)
    }
    checkShardName(file, name)
    result.set(tensor, file)
  }
  if (result.size === 0) throw new AwqError('INVALID_FILE', `${name} lists no tensor`)
  return result
}

function checkShardName(file: string, index: string): void {
  try {
    checkFileName(file, index)
  } catch (cause) {
    throw new AwqError('INVALID_FILE', messageOf(cause), { cause })
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
