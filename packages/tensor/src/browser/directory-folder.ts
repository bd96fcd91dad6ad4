import { type ByteSource, blobSource } from '../byte-source.ts'
import { AwqError, quoted } from '../error.ts'
import { checkFileName, type Folder, readSourceText } from '../folder.ts'
import { storageError } from './storage-error.ts'

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
        throw await storageError(name, error)
      }
      return names.sort()
    },
    async (file) => {
      if (file.includes('/')) return undefined
      try {
        return await (await handle.getFileHandle(file)).getFile()
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw await storageError(`${name}/${file}`, error)
      }
    },
  )
