import { readdir, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { AwqError, quoted } from '../error.ts'
import type { Folder } from '../folder.ts'
import { downloadFromHub } from './hub.ts'
import { isHubId } from './hub-repository.ts'
import type { HubOptions } from './hub-settings.ts'
import { modelFiles, weightFiles } from './model-files.ts'
import { openFolder } from './open-folder.ts'

/**
 * The folder of a model: a folder on disk when `reference` names one, else the model of the hub with that id
 * (`ORG/NAME`, also written `hf:ORG/NAME`), downloaded as far as it is needed into the cache shared with Python.
 * Throws NOT_FOUND or INVALID_ARGUMENT with what the reference could have meant, and what `downloadFromHub` throws.
 */
export async function resolveModel(reference: string, options: HubOptions = {}): Promise<Folder> {
  options.signal?.throwIfAborted()
  const explicit = reference.startsWith('hf:')
  const name = explicit ? reference.slice(3) : reference
  if (!explicit) {
    const status = await stat(reference).catch(() => undefined)
    if (status !== undefined) return openFolder(reference)
    if (looksLikePath(reference)) throw new AwqError('NOT_FOUND', `the folder ${quoted(reference)} does not exist`)
  }
  if (!isHubId(name)) {
    const problem = `${quoted(reference)} is neither an existing folder nor a hub id of the form ORG/NAME`
    throw new AwqError('NOT_FOUND', problem)
  }
  try {
    const path = await downloadFromHub({ type: 'model', name }, modelFiles, { ...options, complete: hasWeights })
    return { ...(await openFolder(path)), origin: { repository: name, revision: basename(path) } }
  } catch (error) {
    if (!AwqError.is(error) || explicit) throw error
    throw new AwqError(error.code, `${error.message} (there is no local folder ${quoted(reference)} either)`, {
      cause: error,
    })
  }
}

function looksLikePath(reference: string): boolean {
  return /^[./~]|\\|^[A-Za-z]:|\/$/.test(reference) || reference.split('/').length > 2
}

/** Whether a snapshot in the cache has a configuration and every weight file that it should have. */
async function hasWeights(path: string): Promise<boolean> {
  const names = await readdir(path).catch((): string[] => [])
  if (!names.includes('config.json')) return false
  const folder = await openFolder(path)
  const present = await folder.list()
  try {
    const wanted = await weightFiles(present, (file) => folder.readText(file))
    return wanted.every((file) => present.includes(file))
  } catch {
    return false
  }
}
