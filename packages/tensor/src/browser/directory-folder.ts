import { type ByteSource, blobSource } from '../byte-source.ts'
import { AwqError, messageOf, quoted } from '../error.ts'
import { checkFileName, type Folder, readSourceText } from '../folder.ts'

/** A folder over files that are found by name. */
export const folderOfFiles = (
  name: string,
  list: () => Promise<string[]>,
  find: (file: string) => Promise<File | undefined>,
): Folder => {
  const open = async (file: string): Promise<ByteSource> => {
    checkFileName(file, name)
    const found = await find(file)
    if (!found) throw new AwqError('NOT_FOUND', `${name} has no file ${quoted(file)}`)
    return blobSource(found, `${name}/${file}`)
  }
  return {
    name,
    list,
    async has(file) {
      checkFileName(file, name)
      return (await find(file)) !== undefined
    },
    open,
    readText: async (file, options) => readSourceText(await open(file), options?.maxBytes),
  }
}

/** What a browser's file system refused, in our words. */
export const storageError = (name: string, error: unknown): AwqError => {
  const kind = error instanceof DOMException ? error.name : ''
  const advice: Readonly<Record<string, string>> = {
    NotFoundError: 'it does not exist any more',
    NotAllowedError: 'the browser has not been given permission: call handle.requestPermission() when the user clicks',
    QuotaExceededError: 'the browser gives this site no more storage: remove models from its cache, or free disk space',
    NoModificationAllowedError: 'it is in use, perhaps by another tab',
  }
  const code = kind === 'NotFoundError' ? 'NOT_FOUND' : 'IO'
  return new AwqError(code, `${name}: ${advice[kind] ?? messageOf(error)}`, { cause: error })
}

/** Whether an error says that there is no such entry, or that it is of the other kind. */
const isAbsent = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError')

/**
 * A folder that the user chose (`showDirectoryPicker`), or one of the origin-private file system. Only its own files, not
 * those of folders in it.
 * @throws AwqError NOT_FOUND, IO when permission is missing
 */
export const directoryFolder = (handle: FileSystemDirectoryHandle, name = handle.name || 'storage'): Folder =>
  folderOfFiles(
    name,
    async () => {
      const names: string[] = []
      try {
        for await (const [file, entry] of handle.entries()) if (entry.kind === 'file') names.push(file)
      } catch (error) {
        throw storageError(name, error)
      }
      return names.sort()
    },
    async (file) => {
      if (file.includes('/')) return undefined
      try {
        return await (await handle.getFileHandle(file)).getFile()
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw storageError(`${name}/${file}`, error)
      }
    },
  )
