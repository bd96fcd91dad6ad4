import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AwqError } from '../error.ts'
import { checkFileName, type Folder, readSourceText } from '../folder.ts'
import { fileError } from './file-error.ts'
import { fileSource } from './file-source.ts'

/** A folder on disk. Links to files count as files. Throws NOT_FOUND, or INVALID_ARGUMENT when it is not a folder. */
export async function openFolder(path: string): Promise<Folder> {
  const root = resolve(path)
  const status = await stat(root).catch((error: unknown) => {
    throw fileError(path, error)
  })
  if (!status.isDirectory())
    throw new AwqError('INVALID_ARGUMENT', `${path} is a file; the folder that holds it is wanted`)
  const inside = (file: string): string => {
    checkFileName(file, path)
    return join(root, file)
  }
  const isFile = async (file: string): Promise<boolean> =>
    stat(file).then(
      (found) => found.isFile(),
      () => false,
    )
  return {
    name: path,
    path: root,
    async list() {
      const entries = await readdir(root, { withFileTypes: true }).catch((error: unknown) => {
        throw fileError(path, error)
      })
      const names: string[] = []
      for (const entry of entries) {
        if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(join(root, entry.name))))) names.push(entry.name)
      }
      return names.sort()
    },
    has: async (file) => isFile(inside(file)),
    open: async (file) => fileSource(inside(file)),
    async readText(file, options) {
      const source = await fileSource(inside(file))
      try {
        return await readSourceText(source, options?.maxBytes)
      } finally {
        await source.close?.()
      }
    },
    async locate(file) {
      const real = await realpath(inside(file)).catch((error: unknown) => {
        throw fileError(join(path, file), error)
      })
      return { directory: dirname(real), file: basename(real) }
    },
  }
}
