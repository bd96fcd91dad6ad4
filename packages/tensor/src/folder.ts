import { type ByteSource, memorySource } from './byte-source.ts'
import { AwqError, quoted } from './error.ts'

/** A flat folder of files: a model on disk, in the hub's cache, or in a browser. */
export interface Folder {
  /** What error messages call it. */
  readonly name: string
  /** The path on disk, where there is one. */
  readonly path?: string
  /** The repository of the hub that it came from, and the commit. */
  readonly origin?: { readonly repository: string; readonly revision: string }
  /** The names of the files, sorted. */
  list(): Promise<string[]>
  has(file: string): Promise<boolean>
  /** Throws NOT_FOUND when there is no such file, INVALID_ARGUMENT when the name would leave the folder. */
  open(file: string): Promise<ByteSource>
  /** A UTF-8 file as text. Throws INVALID_FILE when it is not UTF-8 or longer than `maxBytes` (default 64 MiB). */
  readText(file: string, options?: { maxBytes?: number }): Promise<string>
  /** Where the bytes really lie, symbolic links resolved (the hub's cache is made of links, which engines refuse). */
  locate?(file: string): Promise<{ directory: string; file: string }>
}

/** The longest text file `readText` takes unless told otherwise. */
export const defaultTextBytes = 64 * 2 ** 20

/** Throws INVALID_ARGUMENT unless `file` is a plain file name, or a relative path that stays within its folder. */
export function checkFileName(file: string, folder: string): void {
  const parts = file.split('/')
  const bad = parts.some((part) => part === '' || part === '.' || part === '..')
  if (bad || file.includes('\\') || file.includes('\0') || file.includes(':')) {
    throw new AwqError('INVALID_ARGUMENT', `${folder}: ${quoted(file)} is not the name of a file within the folder`)
  }
}

/** A folder as if it had some of its files only. */
export function partOfFolder(folder: Folder, name: string, files: readonly string[]): Folder {
  const checked = (file: string): string => {
    if (files.includes(file)) return file
    throw new AwqError('NOT_FOUND', `${name}: there is no ${quoted(file)} beside it`)
  }
  const { path: _, locate, origin } = folder
  return {
    name,
    ...(origin ? { origin } : {}),
    list: async () => (await folder.list()).filter((file) => files.includes(file)),
    has: async (file) => files.includes(file) && (await folder.has(file)),
    open: async (file) => folder.open(checked(file)),
    readText: async (file, options) => folder.readText(checked(file), options),
    ...(locate ? { locate: async (file: string) => locate(checked(file)) } : {}),
  }
}

/** The text of a UTF-8 source (a byte-order mark is dropped), with a limit that is checked before it is read. */
export async function readSourceText(source: ByteSource, maxBytes: number = defaultTextBytes): Promise<string> {
  if (source.size > maxBytes) {
    throw new AwqError(
      'INVALID_FILE',
      `${source.name} has ${source.size} bytes, more than the ${maxBytes} allowed here`,
    )
  }
  const bytes = await source.read(0, source.size)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new AwqError('INVALID_FILE', `${source.name} is not UTF-8 text`, {
      cause,
    })
  }
}

/** A folder whose files are given: name -> bytes or text. */
export function memoryFolder(files: Record<string, Uint8Array | string>, name = 'memory'): Folder {
  const encoder = new TextEncoder()
  const contents = new Map(
    Object.entries(files).map(([file, data]) => [file, typeof data === 'string' ? encoder.encode(data) : data]),
  )
  const open = async (file: string): Promise<ByteSource> => {
    const bytes = contents.get(file)
    if (bytes === undefined) throw new AwqError('NOT_FOUND', `${name} has no file ${quoted(file)}`)
    return memorySource(bytes, `${name}/${file}`)
  }
  return {
    name,
    list: async () => [...contents.keys()].sort(),
    has: async (file) => contents.has(file),
    open,
    readText: async (file, options) => readSourceText(await open(file), options?.maxBytes),
  }
}
