import { createHash, type Hash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { downloadFile } from '@huggingface/hub'
import { AwqError } from '../error.ts'
import { fileError } from './file-error.ts'
import { fileSize } from './hub-cache.ts'
import { hubError, isTransient } from './hub-error.ts'
import type { HubFile, HubRepository } from './hub-repository.ts'
import type { HubSettings } from './hub-settings.ts'

/** A body that sends nothing for this long is given up, in milliseconds. */
const stallTime = 60_000

/** How often one file is tried. */
const attempts = 3

/**
 * Downloads one file of a commit to `blob`. It gets that name only when its length and hash (SHA-256 for large files,
 * git's SHA-1 for small ones) are the ones the hub lists. What a failed or stopped download leaves is kept under
 * another name, and the next one goes on from there.
 */
export async function downloadBlob(
  repository: HubRepository,
  commit: string,
  file: HubFile,
  blob: string,
  settings: HubSettings,
): Promise<void> {
  await mkdir(dirname(blob), { recursive: true })
  const resumable = `${blob}.awq-partial`
  const working = `${blob}.${randomUUID().slice(0, 8)}.incomplete`
  // Renaming claims the leftover: of two processes only one gets it.
  await rename(resumable, working).catch(() => undefined)
  let keep = true
  try {
    const hash = file.sha256 === undefined ? gitHash(file.size) : createHash('sha256')
    const handle = await open(working, 'a')
    try {
      let done = await resumePoint(handle, working, file.size, hash)
      for (let attempt = 1; done < file.size; attempt++) {
        try {
          const source = await openRemote(repository, commit, file, settings)
          for await (const chunk of chunksOf(source.slice(done), settings.signal)) {
            if (done + chunk.length > file.size) throw tooLong(repository, file)
            await writeAll(handle, chunk)
            hash.update(chunk)
            done += chunk.length
            report(settings, file, done, chunk.length)
          }
          if (done < file.size) throw new Error(`the connection ended after ${done} of ${file.size} bytes`)
        } catch (error) {
          settings.signal?.throwIfAborted()
          if (attempt === attempts || !isTransient(error)) throw error
          await pause(500 * attempt, undefined, { signal: settings.signal })
        }
      }
      if (file.size === 0) report(settings, file, 0, 0)
      keep = hash.digest('hex') === (file.sha256 ?? file.oid)
      if (!keep) {
        throw new AwqError('NETWORK', `${repository.name}/${file.path} arrived damaged (wrong hash); download it again`)
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(working, blob)
  } catch (error) {
    if (keep) await rename(working, resumable).catch(() => undefined)
    else await rm(working, { force: true })
    settings.signal?.throwIfAborted()
    if (isSystemError(error)) throw fileError(blob, error)
    throw hubError(error, `${repository.name}/${file.path}`, settings)
  }
}

/** How far a leftover goes, its bytes put into the hash; a leftover that is too long is dropped. */
async function resumePoint(handle: FileHandle, path: string, size: number, hash: Hash): Promise<number> {
  const present = (await fileSize(path)) ?? 0
  if (present > size) {
    await handle.truncate(0)
    return 0
  }
  if (present > 0) for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return present
}

/** The hash git names a file by: SHA-1 over "blob SIZE", a zero byte and the content. */
function gitHash(size: number): Hash {
  return createHash('sha1').update(`blob ${size}\0`)
}

async function openRemote(repository: HubRepository, commit: string, file: HubFile, settings: HubSettings) {
  const { hubUrl, token } = settings
  const remote = await downloadFile({
    repo: { type: repository.type, name: repository.name },
    path: file.path,
    revision: commit,
    hubUrl,
    fetch: settings.fetch,
    ...(token === undefined ? {} : { accessToken: token }),
  })
  if (remote === null) throw new AwqError('NOT_FOUND', `${repository.name} has no file ${file.path}`)
  if (remote.size !== file.size) {
    const problem = `the hub lists ${file.size} bytes but offers ${remote.size}`
    throw new AwqError('NETWORK', `${repository.name}/${file.path}: ${problem}; try again`)
  }
  return remote
}

/** The chunks of a blob, given up when nothing comes for too long. */
async function* chunksOf(blob: Blob, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const reader = blob.stream().getReader()
  try {
    for (;;) {
      const { done, value } = await withDeadline(reader.read(), signal)
      if (done) return
      yield value
    }
  } finally {
    // Not awaited: a stalled body may never answer.
    reader.cancel().catch(() => undefined)
  }
}

function withDeadline<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no bytes for ${stallTime / 1000} s`)), stallTime)
    const stop = () => reject(signal?.reason)
    signal?.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    })
  })
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten
}

function report(settings: HubSettings, file: HubFile, loaded: number, added: number): void {
  const step = 2 ** 20
  const crossed = Math.floor(loaded / step) !== Math.floor((loaded - added) / step)
  if (crossed || loaded === file.size) settings.onProgress({ file: file.path, loaded, total: file.size })
}

function tooLong(repository: HubRepository, file: HubFile): AwqError {
  return new AwqError('NETWORK', `${repository.name}/${file.path}: more than its ${file.size} bytes arrived; try again`)
}

/** What the file system refused, not the network (whose errors are wrapped by fetch, or carry no path). */
function isSystemError(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  return typeof code === 'string' && ['open', 'write', 'rename', 'mkdir', 'fsync', 'close'].includes(String(syscall))
}
