import { AwqError, quoted } from '../error.ts'
import type { Folder } from '../folder.ts'
import { folderOfFiles } from './directory-folder.ts'

/** Where a file lies in what was chosen: `<input webkitdirectory>` says it, `<input multiple>` gives names alone. */
const pathOf = (file: File): string => file.webkitRelativePath || file.name

/** The folders of a path, outermost first. */
const foldersOf = (path: string): string[] => path.split('/').slice(0, -1)

/**
 * A folder over files that the user chose or dropped. Of a whole directory, the model is where its `config.json` lies
 * nearest to the top; without one, all files are taken from the top.
 * @throws AwqError NOT_FOUND without any file, INVALID_ARGUMENT for two of one name
 */
export const filesFolder = (files: Iterable<File>, name?: string): Folder => {
  const chosen = [...files].map((file) => ({ file, path: pathOf(file) }))
  if (chosen.length === 0) throw new AwqError('NOT_FOUND', 'no file was chosen: choose the files of a model')
  const configs = chosen.filter(({ path }) => path.split('/').at(-1) === 'config.json')
  const depth = (path: string): number => foldersOf(path).length
  const nearest = configs.sort((a, b) => depth(a.path) - depth(b.path))[0] ?? chosen[0]!
  const base = foldersOf(nearest.path)
  const prefix = base.map((part) => `${part}/`).join('')
  const title = name ?? (base.at(-1) || 'files')
  const found = new Map<string, File>()
  for (const { file, path } of chosen) {
    if (!path.startsWith(prefix)) continue
    const inside = path.slice(prefix.length)
    if (found.has(inside)) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `${title}: two files are called ${quoted(inside)}; choose one model's files`,
      )
    }
    found.set(inside, file)
  }
  const own = [...found.keys()].filter((file) => !file.includes('/')).sort()
  return folderOfFiles(
    title,
    async () => [...own],
    async (file) => found.get(file),
  )
}
