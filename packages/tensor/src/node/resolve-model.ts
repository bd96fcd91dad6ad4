import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AwqError, quoted } from '../error.ts'
import { type Folder, partOfFolder } from '../folder.ts'
import { ggufNames, ggufPiece, ggufSiblings } from '../gguf-names.ts'
import { hubReference } from '../hub-reference.ts'
import { ggufFiles, modelFiles, weightFiles } from '../model-files.ts'
import { downloadFromHub } from './hub.ts'
import type { HubOptions } from './hub-settings.ts'
import { openFolder } from './open-folder.ts'

/**
 * The folder of a model: a folder on disk when `reference` names one, else the model of the hub with that id
 * (`ORG/NAME`, also written `hf:ORG/NAME`), downloaded as far as it is needed into the cache shared with Python. A GGUF
 * file of a repository (`ORG/NAME/FILE.gguf`) is a folder with that file alone, or with all its pieces.
 * Throws NOT_FOUND or INVALID_ARGUMENT with what the reference could have meant, and what `downloadFromHub` throws.
 */
export async function resolveModel(reference: string, options: HubOptions = {}): Promise<Folder> {
  options.signal?.throwIfAborted()
  const explicit = reference.startsWith('hf:')
  const name = explicit ? reference.slice(3) : reference
  if (!explicit) {
    const status = await stat(reference).catch(() => undefined)
    if (status !== undefined) return openFolder(reference)
    if (looksLikePath(reference) && !hubReference(reference)?.file)
      throw new AwqError('NOT_FOUND', `the folder ${quoted(reference)} does not exist`)
  }
  const wanted = hubReference(name)
  if (!wanted) {
    const problem = `${quoted(reference)} is neither an existing folder nor a hub id of the form ORG/NAME`
    throw new AwqError('NOT_FOUND', problem)
  }
  try {
    if (wanted.file) return await ggufOfHub(wanted.repository, wanted.file, options)
    const path = await downloadFromHub({ type: 'model', name }, modelFiles, { ...options, complete: hasWeights })
    return { ...(await openFolder(path)), origin: { repository: name, revision: basename(path) } }
  } catch (error) {
    if (!AwqError.is(error) || explicit) throw error
    throw new AwqError(
      error.code,
      `${error.message} (there is no local ${wanted.file ? 'file' : 'folder'} ${quoted(reference)} either)`,
      {
        cause: error,
      },
    )
  }
}

function looksLikePath(reference: string): boolean {
  return /^[./~]|\\|^[A-Za-z]:|\/$/.test(reference) || reference.split('/').length > 2
}

async function ggufOfHub(repository: string, file: string, options: HubOptions): Promise<Folder> {
  let chosen: string[] = []
  const path = await downloadFromHub(
    { type: 'model', name: repository },
    (files) => {
      chosen = ggufFiles(file, files)
      return chosen
    },
    { ...options, complete: async (snapshot) => (await piecesIn(snapshot, file)).length > 0 },
  )
  const within = await openFolder(join(path, dirname(file)))
  const pieces = chosen.length > 0 ? chosen : await piecesIn(path, file)
  const part = partOfFolder(
    within,
    join(path, file),
    pieces.map((piece) => basename(piece)),
  )
  return { ...part, origin: { repository, revision: basename(path) } }
}

/** The pieces of a GGUF file that a snapshot has; none unless it has all of them. */
async function piecesIn(snapshot: string, file: string): Promise<string[]> {
  const names = await readdir(join(snapshot, dirname(file))).catch((): string[] => [])
  const pieces = ggufSiblings(basename(file), names)
  return pieces.length === (ggufPiece(file)?.count ?? 1) ? pieces : []
}

/** Whether a snapshot in the cache has a configuration and every weight file that it should have. */
async function hasWeights(path: string): Promise<boolean> {
  const names = await readdir(path).catch((): string[] => [])
  if (!names.includes('config.json') && ggufNames(names).length === 0) return false
  const folder = await openFolder(path)
  const present = await folder.list()
  try {
    const wanted = await weightFiles(present, (file) => folder.readText(file))
    const pieces = ggufPiece(wanted[0] ?? '')?.count ?? 1
    return wanted.length >= pieces && wanted.every((file) => present.includes(file))
  } catch {
    return false
  }
}
