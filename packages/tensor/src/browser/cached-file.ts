/**
 * One file of a cached folder.
 * @module
 */
import { type ByteSource, checkRange, type DownloadOptions } from '../byte-source.ts'
import { AwqError } from '../error.ts'
import { createSha256, sha256 } from '../sha256.ts'
import { fileIn, type PieceTable, pieceBytes, readTable, removeIn, writeFile, writeTable } from './cache-files.ts'
import { freeStorage, storageFull } from './storage-error.ts'

/** Pieces that are fetched while one is written. */
const ahead = 2

/** What a cached file is made of. */
export interface CachedFileParts {
  /** What messages call it, and its lock. */
  readonly name: string
  readonly directory: FileSystemDirectoryHandle
  /** Opens what it is a copy of. */
  readonly origin: () => Promise<ByteSource>
  /** SHA-256 of the whole file, where it is known; asked for when something is fetched. */
  readonly hash: () => Promise<string | undefined>
  /** Whether pieces are hashed again before they are believed. */
  readonly verify: boolean
}

/** The longest file that a copy is made of: the table of its pieces must be small, whatever length a server states. */
const mostBytes = 2 ** 40

/** @throws AwqError INVALID_FILE for a length that no file of a model has */
const emptyTable = ({ name, size, version }: ByteSource): PieceTable => {
  if (size > mostBytes)
    throw new AwqError(
      'INVALID_FILE',
      `${name} has ${size} bytes by what its server says: no file of a model is that long`,
    )
  return { size, version, pieces: new Array<null>(Math.ceil(size / pieceBytes)).fill(null) }
}

const lengthOf = ({ size }: PieceTable, index: number): number => Math.min(pieceBytes, size - index * pieceBytes)

/** Pieces that are there, of the length and (where that is asked for) the hash that the table says. */
const presentPieces = async (parts: CachedFileParts, table: PieceTable): Promise<Map<number, File>> => {
  const present = new Map<number, File>()
  for (const [index, hash] of table.pieces.entries()) {
    if (hash === null) continue
    const file = await fileIn(parts.directory, String(index))
    if (file?.size !== lengthOf(table, index)) continue
    if (parts.verify && (await sha256(new Uint8Array(await file.arrayBuffer()))) !== hash) continue
    present.set(index, file)
  }
  return present
}

/** Runs alone among all tabs and Workers of the site. */
const alone = <T>(name: string, signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> =>
  globalThis.navigator?.locks
    ? (navigator.locks.request(`awq-cache ${name}`, signal ? { signal } : {}, task) as Promise<T>)
    : task()

/** Throws IO when the browser says that so many more bytes have no room. */
const checkRoom = async (name: string, bytes: number): Promise<void> => {
  const free = await freeStorage()
  if (free !== undefined && bytes > free) throw storageFull(name, bytes, free)
}

interface State {
  readonly table: PieceTable
  readonly present: Map<number, File>
}

const isComplete = ({ table, present }: State): boolean => present.size === table.pieces.length

/** A source over a copy; what is not there yet is read from the origin, and kept by `download` alone. */
export const openCachedFile = async (parts: CachedFileParts): Promise<ByteSource> => {
  const { name, directory, origin } = parts
  let originIsWhole = false
  const load = async (): Promise<State> => {
    const table = await readTable(directory)
    const state = table && { table, present: await presentPieces(parts, table) }
    if (state && isComplete(state)) return state
    const source = await origin()
    originIsWhole = source.wholeOnly === true
    const same = table?.size === source.size && table.version === source.version
    return same && state ? state : { table: emptyTable(source), present: new Map() }
  }
  let state = await load()
  const { size } = state.table

  const fetchMissing = async ({ signal, onProgress }: DownloadOptions): Promise<void> => {
    // Another tab may have been at it.
    state = await load()
    const { table, present } = state
    if (table.size !== size)
      throw new AwqError('INVALID_FILE', `${name} was changed while it was in use; open it again`)
    const missing = table.pieces.flatMap((_, index) => (present.has(index) ? [] : [index]))
    let loaded = size
    for (const index of missing) loaded -= lengthOf(table, index)
    onProgress?.(loaded)
    if (missing.length === 0) return
    await checkRoom(name, size - loaded)
    const source = await origin()
    const hash = await parts.hash()
    const stop = new AbortController()
    const signals = AbortSignal.any(signal ? [signal, stop.signal] : [stop.signal])
    const read = (index: number): Promise<Uint8Array> => {
      const made = source.read(index * pieceBytes, lengthOf(table, index), { signal: signals })
      made.catch(() => {})
      return made
    }
    // Pieces are asked for in order, as a server without ranges needs it.
    const waiting: Promise<Uint8Array>[] = []
    let next = 0
    const pieces = [...table.pieces.map((piece, index) => (present.has(index) ? piece : null))]
    const whole = hash === undefined ? undefined : createSha256()
    try {
      for (const index of pieces.keys()) {
        const there = present.get(index)
        if (there) {
          whole?.update(new Uint8Array(await there.arrayBuffer()))
          continue
        }
        while (waiting.length <= ahead && next < missing.length) waiting.push(read(missing[next++]!))
        const bytes = await waiting.shift()!
        signal?.throwIfAborted()
        whole?.update(bytes)
        await writeFile(directory, String(index), bytes)
        pieces[index] = await sha256(bytes)
        await writeTable(directory, { ...table, pieces: [...pieces] })
        present.set(index, (await fileIn(directory, String(index)))!)
        loaded += bytes.length
        onProgress?.(loaded)
      }
    } finally {
      stop.abort()
      await source.close?.()
    }
    state = { table: { ...table, pieces }, present }
    if (whole && whole.digest() !== hash) {
      await removeIn(directory, 'pieces.json')
      state = { table: emptyTable(source), present: new Map() }
      throw new AwqError(
        'INVALID_FILE',
        `${name} arrived damaged: its SHA-256 is not the one that the model states; download it again`,
      )
    }
  }

  const blob = (offset: number, length: number): Blob | undefined => {
    const parts: Blob[] = []
    for (let at = offset; at < offset + length; ) {
      const index = Math.floor(at / pieceBytes)
      const piece = state.present.get(index)
      if (!piece) return undefined
      const from = at - index * pieceBytes
      const to = Math.min(piece.size, from + offset + length - at)
      parts.push(piece.slice(from, to))
      at += to - from
    }
    return new Blob(parts)
  }

  const { version } = state.table
  return {
    name,
    size,
    ...(version === undefined ? {} : { version }),
    get wholeOnly() {
      return originIsWhole && !isComplete(state)
    },
    get localBlob() {
      return isComplete(state)
    },
    async read(offset, length, options) {
      checkRange(name, size, offset, length)
      options?.signal?.throwIfAborted()
      const local = blob(offset, length)
      if (!local) return (await origin()).read(offset, length, options)
      try {
        return new Uint8Array(await local.arrayBuffer())
      } catch (cause) {
        throw new AwqError('IO', `${name}: its copy cannot be read; was it removed meanwhile?`, { cause })
      }
    },
    async blob(offset, length, options) {
      checkRange(name, size, offset, length)
      const local = blob(offset, length)
      if (local) return local
      const source = await origin()
      if (source.blob) return source.blob(offset, length, options)
      return new Blob([(await source.read(offset, length, options)) as Uint8Array<ArrayBuffer>])
    },
    async download(options = {}) {
      if (isComplete(state)) options.onProgress?.(size)
      else await alone(name, options.signal, () => fetchMissing(options))
    },
  }
}
