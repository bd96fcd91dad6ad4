import { fileHandle, findFile, listFiles } from '@awq/quantize/browser'
import { AwqError, blobSource, type Folder, quoted, readSourceText } from '@awq/tensor'

/** A folder of a browser, opened for reading. */
export const folderOf = (directory: FileSystemDirectoryHandle, name = directory.name): Folder => {
  const open = async (file: string) => {
    const found = await findFile(directory, file)
    if (!found) throw new AwqError('NOT_FOUND', `${name} has no file ${quoted(file)}`)
    return blobSource(await (await fileHandle(directory, file)).getFile(), `${name}/${file}`)
  }
  return {
    name,
    list: () => listFiles(directory),
    has: async (file) => (await findFile(directory, file)) !== undefined,
    open,
    readText: async (file, options) => readSourceText(await open(file), options?.maxBytes),
  }
}
