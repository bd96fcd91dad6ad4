/**
 * Folders and files of a browser by path: of the origin's private file system, or of a folder that its user chose.
 * @module
 */

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '')

/** There is nothing of that name, or it is of the other kind: a folder and no file. */
const isMissing = (error: unknown): boolean =>
  ['NotFoundError', 'TypeMismatchError'].includes((error as { name?: string } | null)?.name ?? '')

/** A folder within a folder; '' is the folder itself. Throws what the browser throws. */
export const subdirectory = async (
  directory: FileSystemDirectoryHandle,
  path: string,
  options: { readonly create?: boolean } = {},
): Promise<FileSystemDirectoryHandle> => {
  let found = directory
  for (const part of partsOf(path)) found = await found.getDirectoryHandle(part, { create: options.create ?? false })
  return found
}

/** The same, or undefined where there is none. */
export const findDirectory = async (
  directory: FileSystemDirectoryHandle,
  path: string,
): Promise<FileSystemDirectoryHandle | undefined> => {
  try {
    return await subdirectory(directory, path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** A file within a folder, by path. With `create`, it and the folders above it are made. */
export const fileHandle = async (
  directory: FileSystemDirectoryHandle,
  path: string,
  options: { readonly create?: boolean } = {},
): Promise<FileSystemFileHandle> => {
  const parts = partsOf(path)
  const name = parts.pop() ?? ''
  const create = options.create ?? false
  return (await subdirectory(directory, parts.join('/'), { create })).getFileHandle(name, { create })
}

/** A file as it is now, or undefined where there is none. */
export const findFile = async (directory: FileSystemDirectoryHandle, path: string): Promise<File | undefined> => {
  try {
    return await (await fileHandle(directory, path)).getFile()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Paths of all files in a folder and the folders within it, sorted; `skip` leaves out names of this folder. */
export const listFiles = async (
  directory: FileSystemDirectoryHandle,
  skip: (name: string) => boolean = () => false,
): Promise<string[]> => {
  const paths: string[] = []
  for await (const [name, entry] of directory.entries()) {
    if (skip(name)) continue
    if (entry.kind === 'file') paths.push(name)
    else for (const path of await listFiles(entry)) paths.push(`${name}/${path}`)
  }
  return paths.sort()
}

/** Removes a file or a folder with all that is in it; nothing where there is none. */
export const removePath = async (directory: FileSystemDirectoryHandle, path: string): Promise<void> => {
  const parts = partsOf(path)
  const name = parts.pop()
  if (name === undefined) return
  const parent = await findDirectory(directory, parts.join('/'))
  try {
    await parent?.removeEntry(name, { recursive: true })
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** Not in all browsers, and in those that have it for files of the private file system only. */
interface Movable {
  readonly move?: (into: FileSystemDirectoryHandle, name: string) => Promise<void>
}

/** Copies a file, which is empty until all of it is there. */
export const copyFile = async (
  from: FileSystemFileHandle,
  into: FileSystemDirectoryHandle,
  path: string,
): Promise<void> => {
  const target = await (await fileHandle(into, path, { create: true })).createWritable()
  await (await from.getFile()).stream().pipeTo(target)
}

/** Gives a file of the private file system another place within it; one that is there is replaced. */
export const moveFile = async (
  directory: FileSystemDirectoryHandle,
  from: string,
  into: FileSystemDirectoryHandle,
  path: string,
): Promise<void> => {
  const file = await fileHandle(directory, from)
  const parts = partsOf(path)
  const name = parts.pop() ?? ''
  const parent = await subdirectory(into, parts.join('/'), { create: true })
  const { move } = file as Movable
  if (move) return await move.call(file, parent, name)
  await copyFile(file, into, path)
  await removePath(directory, from)
}
