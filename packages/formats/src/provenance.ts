/**
 * How a model came about, and whether its files are still those that were written.
 * @module
 */
import type { ModelDescription } from '@awq/models'
import {
  MANIFEST_FILE,
  PROVENANCE_FILE,
  type Provenance,
  type ProvenanceFile,
  readManifest,
  readProvenance,
} from '@awq/quantize'
import { AwqError, type Folder } from '@awq/tensor'
import { sha256 } from '#sha256'
import type { FolderWriter } from './folder/writer.ts'
import type { PortableModel, ReadOptions } from './model.ts'
import { CARD_FILE } from './model-card.ts'

/** Hashes of the files written so far, without the model card, which people edit. */
export const modelHashes = async (into: FolderWriter, options: ReadOptions = {}): Promise<Record<string, string>> => {
  const { [CARD_FILE]: _, ...hashes } = await into.hashes(options)
  return hashes
}

/** Writes `provenance.json`; all other files must be there. */
export const writeProvenance = async (
  { provenance }: PortableModel,
  layout: string,
  into: FolderWriter,
  options: ReadOptions = {},
): Promise<void> => {
  const hashes = await modelHashes(into, options)
  const file: ProvenanceFile = { format: 'awq-provenance', version: 1, layout, ...provenance, hashes }
  await into.writeText(PROVENANCE_FILE, `${JSON.stringify(file, null, 1)}\n`)
}

/**
 * The model with the provenance that stands beside it, where one does: its reader could not know.
 * @throws AwqError INVALID_FILE when it is damaged
 */
export const withProvenance = async (model: PortableModel, folder: Folder): Promise<PortableModel> => {
  const found = await readProvenance(folder)
  if (!found) return model
  const { format, version, layout, hashes, ...provenance } = found
  return { ...model, provenance }
}

/**
 * What a folder says of the model that it holds, or that was made from it: the last part of its name (where it lay is
 * nobody's business), and the repository and commit when it came from the hub.
 */
export const sourceOf = (folder: Folder, { config }: Pick<ModelDescription, 'config'>): Provenance['source'] => ({
  name: (folder.origin?.repository ?? folder.name)
    .replace(/[/\\]+$/, '')
    .split(/[/\\]/)
    .at(-1)!,
  modelType: config.modelType,
  ...folder.origin,
})

/** Whether the files of a model are those that were written. */
export interface Verification {
  /** Files whose bytes have the hash that is written down. */
  readonly intact: readonly string[]
  /** Files that are missing or have another. */
  readonly damaged: readonly string[]
}

/** Options of `verifyFiles`. */
export interface VerifyOptions extends ReadOptions {
  readonly onProgress?:
    | ((progress: { readonly file: string; readonly completed: number; readonly total: number }) => void)
    | undefined
}

/**
 * Compares every file of a model with the hash that its manifest, or its `provenance.json`, has; reads all of them.
 * Undefined when no hashes are written down.
 */
export const verifyFiles = async (folder: Folder, options: VerifyOptions = {}): Promise<Verification | undefined> => {
  const recorded = (await folder.has(MANIFEST_FILE)) ? await readManifest(folder) : await readProvenance(folder)
  if (!recorded?.hashes) return undefined
  const files = Object.entries(recorded.hashes)
  const intact: string[] = []
  const damaged: string[] = []
  for (const [index, [file, hash]] of files.entries()) {
    options.signal?.throwIfAborted()
    const same = (await hashOf(folder, file, options)) === hash
    ;(same ? intact : damaged).push(file)
    options.onProgress?.({ file, completed: index + 1, total: files.length })
  }
  return { intact, damaged }
}

/** What to say of files whose hashes are others than those written down. */
export const damageText = ({ name }: Pick<Folder, 'name'>, damaged: readonly string[]): string => {
  const more = damaged.length > 4 ? ` and ${damaged.length - 4} more` : ''
  const are = damaged.length === 1 ? 'is damaged or was changed' : 'are damaged or were changed'
  return `${name}: ${damaged.slice(0, 4).join(', ')}${more} ${are}: SHA-256 is not what was written down; copy or make the model again`
}

/**
 * Holds a model's files to the hashes that are written down, where they are: what is made of damaged ones would be damaged
 * without a trace.
 * @throws AwqError INVALID_FILE naming those that are damaged or were changed
 */
export const checkFiles = async (folder: Folder, options: VerifyOptions = {}): Promise<void> => {
  const { damaged = [] } = (await verifyFiles(folder, options)) ?? {}
  if (damaged.length > 0) throw new AwqError('INVALID_FILE', damageText(folder, damaged))
}

/** Undefined for a file that is not there. @throws AwqError INVALID_ARGUMENT for a name that leaves the folder */
const hashOf = async (folder: Folder, file: string, options: ReadOptions): Promise<string | undefined> => {
  if (!(await folder.has(file))) return undefined
  const source = await folder.open(file)
  try {
    return await sha256(source, options)
  } finally {
    await source.close?.()
  }
}
