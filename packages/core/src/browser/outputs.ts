/**
 * What lies where a page's quantizations write.
 * @module
 */
import { MANIFEST_FILE } from '@awq/quantize'
import { findDirectory, findFile, removePath } from '@awq/quantize/browser'
import { AwqError, type Folder } from '@awq/tensor'
import { folderOf } from './folder-of.ts'
import { takeLock } from './lock.ts'
import { type BrowserOutput, checkOutput, findPlace, JOURNAL, privateRoot, UNFINISHED } from './place.ts'

/** What a page can offer to do with an output: begin, resume, or open. */
export interface OutputState {
  readonly state: 'empty' | 'unfinished' | 'finished'
  /** Blocks that an interrupted run has finished; 0 for other states. */
  readonly layers: number
}

const finishedLayers = (journal: string): number =>
  journal.split('\n').filter((line) => /^\{"layer":\d+,.*\}$/.test(line)).length

/** Looks what an output holds, without opening it for writing. */
export const outputState = async (output: BrowserOutput): Promise<OutputState> => {
  const place = await findPlace(checkOutput(output))
  const unfinished = place && (await findDirectory(place.work.parent, place.work.path))
  if (unfinished) {
    const journal = (await (await findFile(unfinished, JOURNAL))?.text()) ?? ''
    return { state: 'unfinished', layers: finishedLayers(journal) }
  }
  const directory = typeof output === 'string' ? await findDirectory(await privateRoot(), output) : output
  const finished = directory && (await findFile(directory, MANIFEST_FILE))
  return { state: finished ? 'finished' : 'empty', layers: 0 }
}

/**
 * A finished model, for `loadModel` and others.
 * @throws AwqError NOT_FOUND where there is none
 */
export const openOutput = async (output: BrowserOutput): Promise<Folder> =>
  typeof output === 'string' ? openPath(checkOutput(output)) : folderOf(output)

/** A folder of the private file system. @throws AwqError NOT_FOUND where there is none */
export const openPath = async (path: string): Promise<Folder> => {
  const found = await findDirectory(await privateRoot(), path)
  if (found) return folderOf(found, path)
  throw new AwqError('NOT_FOUND', `the private file system of this page has no folder ${path}`)
}

/**
 * Removes an output of the private file system, finished or not; of a folder of the user's disk, only unfinished work.
 * @throws AwqError EXISTS while another tab or Worker is writing there
 */
export const removeOutput = async (output: BrowserOutput): Promise<void> => {
  const place = await findPlace(checkOutput(output))
  if (!place) return
  const unlock = await takeLock(place.lock, place.name)
  try {
    if (typeof output === 'string') await removePath(await privateRoot(), output)
    else await removePath(place.work.parent, place.work.path)
    await place.forget()
  } finally {
    unlock()
  }
}

/** Paths of all outputs of the private file system, finished or not. */
export const listOutputs = async (): Promise<string[]> => {
  const walk = async (directory: FileSystemDirectoryHandle, path: string): Promise<string[]> => {
    const names = new Map<string, FileSystemDirectoryHandle | FileSystemFileHandle>()
    for await (const [name, entry] of directory.entries()) names.set(name, entry)
    // The folders of cached models are called by the files that they have the pieces of.
    const isOutput = names.get(MANIFEST_FILE)?.kind === 'file' || names.get(UNFINISHED)?.kind === 'directory'
    if (path !== '' && isOutput) return [path]
    const found: string[] = []
    for (const [name, entry] of names)
      if (entry.kind === 'directory' && !name.startsWith('.'))
        found.push(...(await walk(entry, path === '' ? name : `${path}/${name}`)))
    return found
  }
  return (await walk(await privateRoot(), '')).sort()
}
