/**
 * One process at a time writes into a folder: two would remove and rename each other's files.
 * @module
 */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { AwqError } from '@awq/tensor'

/** Name of the lock file; it holds the process id and the host of its owner. */
export const LOCK = '.awq-lock'

/** Lock files of this process: its id alone may be that of a former process, as in a container. */
const held = new Set<string>()

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Whether the owner that a lock file names is gone. A file without one was cut short, or is just being written. */
const isStale = (file: string, text: string): boolean => {
  const [pid, host] = text.split('\n')
  if (!pid || host !== hostname()) return false
  return Number(pid) === process.pid ? !held.has(file) : !isRunning(Number(pid))
}

/** Creates the lock file. Returns false when there is one. */
const create = async (file: string): Promise<boolean> => {
  const handle = await open(file, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  if (!handle) return false
  held.add(file)
  try {
    await handle.writeFile(`${process.pid}\n${hostname()}\n`)
    return true
  } catch (error) {
    // On a full disk: a lock without an owner would stay.
    held.delete(file)
    await rm(file, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

/**
 * Removes the lock of a process that is gone. It is moved away before it is removed: if another process was quicker and
 * that lock is already its own, it is given back.
 */
const removeStale = async (file: string): Promise<boolean> => {
  const text = await readFile(file, 'utf8').catch(() => '')
  if (!isStale(file, text)) return false
  const removed = `${file}-${process.pid}`
  await rename(file, removed).catch(() => {})
  const same = (await readFile(removed, 'utf8').catch(() => text)) === text
  if (same) await rm(removed, { force: true })
  else await rename(removed, file)
  return same
}

/**
 * Locks a folder, which must exist; the lock of a process that was killed is taken over.
 * @returns the function that unlocks it
 * @throws AwqError `EXISTS` when another process, or another call, has it
 */
export const lockFolder = async (path: string): Promise<() => Promise<void>> => {
  const file = resolve(path, LOCK)
  if (!(await create(file)) && !((await removeStale(file)) && (await create(file)))) {
    const [pid, host] = (await readFile(file, 'utf8').catch(() => '')).split('\n')
    const owner = pid ? `process ${pid} on ${host}` : 'another process'
    throw new AwqError(
      'EXISTS',
      `${path}: ${owner} is writing here; wait for it, choose another folder, or, if it no longer runs, ` +
        `remove ${join(path, LOCK)}`,
    )
  }
  return async () => {
    held.delete(file)
    await rm(file, { force: true })
  }
}
