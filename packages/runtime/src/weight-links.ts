/**
 * How graphs reach weights that stay in their files: by path where the engine opens files itself, else by bytes read
 * for the session at hand.
 * @module
 */
import type { Graph } from '@awq/onnx'
import type { Engine, Session, SessionOptions } from '@awq/ort'
import { AwqError, type ByteSource, type FileRange, type Folder } from '@awq/tensor'
import { checkLimits } from './device-limits.ts'

/** Told how many bytes of a file are there, of those wanted. */
export type FileProgress = (event: { readonly file: string; readonly loaded: number; readonly total: number }) => void

/** How weights are fetched. */
export interface FetchOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: FileProgress | undefined
}

/** Which files are fetched. */
export interface DownloadChoice extends FetchOptions {
  /** Only those of which no part can be read without it (`ByteSource.wholeOnly`). */
  readonly wholeOnly?: boolean | undefined
}

/** The weight files of a folder as an engine can reach them. */
export interface WeightFiles {
  /** A fresh set of links for one graph. */
  links(): WeightLinks
  /** Fetches whole files into the copy that their folder keeps, where it keeps one; else nothing. */
  download(options?: DownloadChoice): Promise<void>
}

/** Collects what one graph points at. */
export interface WeightLinks {
  /** Where a graph must say that these bytes are. */
  link(span: FileRange): FileRange
  /**
   * Options for `createSession` that make the links good. Where the engine opens no files: Blobs, of folders that have them,
   * so that the bytes are never all in memory; else bytes, which are read here.
   */
  sessionOptions(options?: FetchOptions): Promise<{
    externalDirectory?: string
    externalData?: Record<string, Uint8Array | Blob>
  }>
}

/**
 * Finds out how an engine reaches the files of a folder. ONNX Runtime refuses links that lead out of the directory it is
 * given, and the hub's cache is made of such links: so each file's real place is taken. When the engine opens no files,
 * the folder is not on disk, or the files lie in several directories, bytes are handed over in memory.
 * @param stored the files that `files` are made of, where they are others
 */
export const locateWeights = async (
  folder: Folder,
  files: readonly string[],
  engine: Pick<Engine, 'features'>,
  stored: { readonly folder: Folder; readonly files: readonly string[] } = { folder, files },
): Promise<WeightFiles> => {
  const places = new Map<string, { directory: string; file: string }>()
  if (engine.features.externalFiles && folder.locate) {
    for (const file of files) places.set(file, await folder.locate(file))
  }
  const directories = new Set([...places.values()].map((place) => place.directory))
  const [directory] = directories
  return directories.size === 1 && directory !== undefined
    ? { links: () => linksByPath(directory, places), download: async () => {} }
    : {
        links: () => linksByBytes(folder),
        download: (options = {}) => downloadFiles(stored.folder, stored.files, options),
      }
}

const downloadFiles = async (
  folder: Folder,
  files: readonly string[],
  { signal, onProgress, wholeOnly = false }: DownloadChoice,
): Promise<void> => {
  for (const file of files) {
    const source = await folder.open(file)
    const { size: total } = source
    try {
      if (wholeOnly && !source.wholeOnly) continue
      await source.download?.({ signal, onProgress: (loaded) => onProgress?.({ file, loaded, total }) })
    } finally {
      await source.close?.()
    }
  }
}

/**
 * Loads a graph whose weights are reached by links of its own; `build` emits it. `onLoad` is called when they are fetched.
 * @throws AwqError UNSUPPORTED for a tensor that the engine's device has no buffer for, before any is read
 */
export const openLinked = async (
  engine: Engine,
  files: WeightFiles,
  build: (links: WeightLinks) => Graph,
  options: Pick<SessionOptions, 'signal' | 'largePages'> &
    FetchOptions & { readonly onLoad?: (() => void) | undefined } = {},
): Promise<Session> => {
  const links = files.links()
  const graph = build(links)
  checkLimits(graph, engine.limits)
  const { onProgress: _, onLoad, ...rest } = options
  const weights = await links.sessionOptions(options)
  onLoad?.()
  return engine.createSession(graph.toBytes(), { ...weights, ...rest })
}

/** Links that leave everything where it lies, for graphs that are looked at and not run. */
export const plainLinks: WeightLinks = { link: (span) => span, sessionOptions: async () => ({}) }

const linksByPath = (directory: string, places: ReadonlyMap<string, { file: string }>): WeightLinks => ({
  link: (span) => {
    const place = places.get(span.file)
    if (!place) throw new AwqError('NOT_FOUND', `${span.file} is not one of the model's weight files.`)
    return { ...span, file: place.file }
  },
  sessionOptions: async () => ({ externalDirectory: directory }),
})

/** A part of a file that is fetched at once, and the links that lie in it. */
interface Run {
  readonly offset: number
  end: number
  readonly links: { readonly name: string; readonly span: FileRange }[]
}

/** The longest run, and the longest gap within one: a request costs about as much as so many bytes. */
const runBytes = 64 * 2 ** 20
const gapBytes = 64 * 2 ** 10

/** Links of one file as few runs. */
const runsOf = (links: Iterable<Run['links'][number]>): Run[] => {
  const runs: Run[] = []
  for (const link of [...links].sort((a, b) => a.span.offset - b.span.offset)) {
    const { offset, length } = link.span
    const last = runs.at(-1)
    const end = offset + length
    if (last && offset <= last.end + gapBytes && Math.max(end, last.end) - last.offset <= runBytes) {
      last.end = Math.max(last.end, end)
      last.links.push(link)
    } else {
      runs.push({ offset, end, links: [link] })
    }
  }
  return runs
}

/** Fetches the links of one file: Blobs where its source has them, else bytes. */
const fetchFile = async (
  source: ByteSource,
  links: readonly Run['links'][number][],
  data: Record<string, Uint8Array | Blob>,
  signal: AbortSignal | undefined,
  onProgress: ((loaded: number, total: number) => void) | undefined,
): Promise<void> => {
  await source.download?.({ signal, onProgress: onProgress && ((loaded) => onProgress(loaded, source.size)) })
  if (!source.blob) {
    for (const { name, span } of links) data[name] = await source.read(span.offset, span.length, { signal })
    return
  }
  const runs = runsOf(links)
  const total = runs.reduce((sum, { offset, end }) => sum + end - offset, 0)
  let loaded = 0
  const onBytes = (count: number): void => {
    loaded += count
    onProgress?.(loaded, total)
  }
  for (const run of runs) {
    const blob = await source.blob(run.offset, run.end - run.offset, { signal, onBytes })
    for (const { name, span } of run.links) {
      const at = span.offset - run.offset
      data[name] = blob.slice(at, at + span.length)
    }
  }
}

const linksByBytes = (folder: Folder): WeightLinks => {
  const wanted = new Map<string, { name: string; span: FileRange }>()
  return {
    link(span) {
      const key = `${span.offset}+${span.length}@${span.file}`
      const known = wanted.get(key) ?? { name: `weights-${wanted.size}.bin`, span }
      wanted.set(key, known)
      return { file: known.name, offset: 0, length: span.length }
    },
    async sessionOptions({ signal, onProgress } = {}) {
      const externalData: Record<string, Uint8Array | Blob> = {}
      const links = [...wanted.values()]
      for (const file of new Set(links.map(({ span }) => span.file))) {
        const own = links.filter(({ span }) => span.file === file)
        const source = await folder.open(file)
        const told = onProgress && ((loaded: number, total: number) => onProgress({ file, loaded, total }))
        try {
          await fetchFile(source, own, externalData, signal, told)
        } finally {
          await source.close?.()
        }
      }
      return { externalData }
    },
  }
}
