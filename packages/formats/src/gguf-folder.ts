/**
 * A GGUF file seen as a float checkpoint: config.json, tokenizer files and one safetensors file, whose bytes are computed when
 * they are read. Whatever takes a checkpoint takes it: `awq quantize model.gguf`.
 * @module
 */
import {
  AwqError,
  type ByteSource,
  byteWidth,
  type Folder,
  memorySource,
  quoted,
  readSourceText,
  safetensorsHeader,
  type TensorEntry,
} from '@awq/tensor'
import { ggufFiles } from './gguf-files.ts'
import { type GgufModel, openGguf } from './gguf-read.ts'
import type { ReadOptions } from './model.ts'

const WEIGHTS = 'model.safetensors'

/** A safetensors file of these tensors, none of which is in memory. */
export const safetensorsOf = (name: string, tensors: readonly TensorEntry[]): ByteSource => {
  // Wider elements first keep all of them aligned.
  const entries = tensors.toSorted((one, other) => byteWidth[other.dtype] - byteWidth[one.dtype])
  const { header, offsets, size } = safetensorsHeader(entries)
  const places = entries.map((entry) => ({ entry, ...offsets.get(entry.name)! }))
  return {
    name,
    size,
    async read(offset, length, options = {}) {
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw new AwqError('INVALID_ARGUMENT', `${name}: ${length} bytes at ${offset} lie outside its ${size} bytes`)
      }
      const result = new Uint8Array(length)
      const end = offset + length
      if (offset < header.length) result.set(header.subarray(offset, Math.min(end, header.length)))
      for (const { entry, offset: start, length: bytes } of places) {
        const [from, to] = [Math.max(offset, start), Math.min(end, start + bytes)]
        if (from >= to) continue
        const rowBytes = bytes / entry.shape[0]!
        const first = Math.floor((from - start) / rowBytes)
        const rows = [first, Math.ceil((to - start) / rowBytes)] as const
        const read = await entry.read({ ...options, rows })
        const skipped = from - start - first * rowBytes
        result.set(read.subarray(skipped, skipped + to - from), from - offset)
      }
      return result
    },
  }
}

const folderOf = (original: Folder, { config, texts, tensors, files }: GgufModel): Folder => {
  const text = (file: string): string | undefined =>
    file === 'config.json' ? JSON.stringify(config, null, 2) : Object.hasOwn(texts, file) ? texts[file] : undefined
  const names = ['config.json', WEIGHTS, ...Object.keys(texts)].sort()
  const { name } = original
  const open = async (file: string): Promise<ByteSource> => {
    const found = text(file)
    if (found !== undefined) return memorySource(new TextEncoder().encode(found), `${name}/${file}`)
    if (file !== WEIGHTS) throw new AwqError('NOT_FOUND', `${name} has no file ${quoted(file)}`)
    const entries = Array.from(tensors.values(), ({ entry }) => entry)
    return { ...safetensorsOf(`${files.name} as float numbers`, entries) }
  }
  return {
    name,
    list: async () => names,
    has: async (file) => names.includes(file),
    open,
    readText: async (file, options) => await readSourceText(await open(file), options?.maxBytes),
  }
}

/**
 * The folder itself, or of a folder with a GGUF file the float checkpoint that it stands for.
 * @throws AwqError as `openGguf`
 */
export const floatFolder = async (folder: Folder, options: ReadOptions = {}): Promise<Folder> =>
  (await ggufFiles(folder)).length === 0 ? folder : folderOf(folder, await openGguf(folder, options))
