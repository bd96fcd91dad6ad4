/**
 * The GGUF file of a folder, or the files that a large one was cut into.
 * @module
 */
import { AwqError, type ByteSource, type Folder, ggufNames, ggufPiece, quoted } from '@awq/tensor'
import { type GgufHeader, type GgufTensor, isGguf, readGgufHeader } from './header.ts'

/** Tensors of GGUF files, open. */
export interface GgufFiles extends GgufHeader {
  /** What messages call them. */
  readonly name: string
  readonly tensors: ReadonlyMap<string, PlacedTensor>
  close(): Promise<void>
}

/** A tensor and the file that it lies in. */
export interface PlacedTensor extends GgufTensor {
  /** Name in the folder. */
  readonly file: string
  readonly source: ByteSource
}

const beginsAsGguf = async (folder: Folder, file: string): Promise<boolean> => {
  const source = await folder.open(file)
  try {
    return await isGguf(source)
  } finally {
    await source.close?.()
  }
}

/**
 * The GGUF files of a folder: those with the suffix, and a single file that begins as they do, whatever its name. A folder
 * that has a checkpoint in safetensors too is read as that.
 */
export const ggufFiles = async (folder: Folder): Promise<string[]> => {
  const files = await folder.list()
  if (files.some((file) => file.endsWith('.safetensors'))) return []
  const candidates = ggufNames(files)
  const tried = candidates.length === 0 && files.length === 1 ? files : candidates
  const found: string[] = []
  for (const file of tried) if (await beginsAsGguf(folder, file)) found.push(file)
  return found
}

const checkPieces = (folder: Folder, files: readonly string[]): void => {
  const parts = files.map(ggufPiece)
  const [first] = parts
  const alike = parts.every((part) => part && part.title === first?.title && part.count === first?.count)
  if (files.length > 1 && !alike) {
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${folder.name} has several GGUF files (${files.slice(0, 6).join(', ')}): name the one that you mean`,
    )
  }
  if (first && first.count !== files.length) {
    throw new AwqError(
      'NOT_FOUND',
      `${folder.name} has ${files.length} of the ${first.count} files of ${quoted(first.title)}`,
    )
  }
}

/**
 * Opens the GGUF file of a folder.
 * @throws AwqError NOT_FOUND without one or with a piece missing, INVALID_ARGUMENT when there are several, and as
 *   `readGgufHeader`
 */
export const openGgufFiles = async (
  folder: Folder,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<GgufFiles> => {
  const files = (await ggufFiles(folder)).sort()
  if (files.length === 0) throw new AwqError('NOT_FOUND', `${folder.name} has no GGUF file`)
  checkPieces(folder, files)
  const sources: ByteSource[] = []
  const close = async (): Promise<void> => {
    for (const source of sources) await source.close?.()
  }
  try {
    const tensors = new Map<string, PlacedTensor>()
    let first: GgufHeader | undefined
    for (const file of files) {
      const source = await folder.open(file)
      sources.push(source)
      const header = await readGgufHeader(source, options)
      first ??= header
      const count = header.metadata.get('split.count') ?? 1
      if (count !== files.length && count !== 0) {
        throw new AwqError('NOT_FOUND', `${source.name} is one of ${String(count)} files, and ${files.length} are here`)
      }
      for (const tensor of header.tensors.values()) {
        if (tensors.has(tensor.name)) {
          throw new AwqError('INVALID_FILE', `${source.name}: the tensor ${quoted(tensor.name)} is in another file too`)
        }
        tensors.set(tensor.name, { ...tensor, file, source })
      }
    }
    return { ...first!, tensors, name: sources[0]!.name, close }
  } catch (error) {
    await close()
    throw error
  }
}
