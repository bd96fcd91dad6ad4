/**
 * Folders whose files were getting their names when their process ended.
 * @module
 */
import { AwqError, type Folder } from '@awq/tensor'

/** The hidden folder in which a conversion makes its files, and that in which `awq quantize` keeps its work. */
export const WRITING = '.awq-writing'
const UNFINISHED = '.awq-partial'

/** What a commit moves, in its order: there, in the hidden folder, while it does. */
export const COMMIT = 'commit.json'

/** The names that a commit moves, from the text of its file: plain names only, since they are removed or moved back. */
export const movedNames = (text: string): string[] => {
  try {
    const { names } = JSON.parse(text) as { names?: unknown }
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string' && !/[/\\]|^\.{0,2}$/.test(name)) : []
  } catch {
    return []
  }
}

/** @throws AwqError INVALID_FILE for a folder that holds some files of a model, its commit having been cut short */
export const checkFinished = async (folder: Folder): Promise<void> => {
  for (const hidden of [WRITING, UNFINISHED]) {
    const file = `${hidden}/${COMMIT}`
    if (!(await folder.has(file))) continue
    const last = movedNames(await folder.readText(file)).at(-1)
    // Only the removal of the hidden folder was missing.
    if (last !== undefined && (await folder.has(last))) continue
    throw new AwqError(
      'INVALID_FILE',
      `${folder.name} holds half of a model: the command that wrote it was stopped while files got their names; repeat it`,
    )
  }
}
