/**
 * How graphs reach weights that stay in their files: by path where the engine opens files itself, else by bytes read
 * for the session at hand.
 * @module
 */
import type { Graph } from '@awq/onnx'
import type { Engine, Session, SessionOptions } from '@awq/ort'
import { AwqError, type FileRange, type Folder } from '@awq/tensor'

/** The weight files of a folder as an engine can reach them. */
export interface WeightFiles {
  /** A fresh set of links for one graph. */
  links(): WeightLinks
}

/** Collects what one graph points at. */
export interface WeightLinks {
  /** Where a graph must say that these bytes are. */
  link(span: FileRange): FileRange
  /** Options for `createSession` that make the links good; reads bytes where the engine can not. */
  sessionOptions(options?: { signal?: AbortSignal | undefined }): Promise<{
    externalDirectory?: string
    externalData?: Record<string, Uint8Array>
  }>
}

/**
 * Finds out how an engine reaches the files of a folder. ONNX Runtime refuses links that lead out of the directory it is
 * given, and the hub's cache is made of such links: so each file's real place is taken. When the engine opens no files,
 * the folder is not on disk, or the files lie in several directories, bytes are handed over in memory.
 */
export const locateWeights = async (
  folder: Folder,
  files: readonly string[],
  engine: Pick<Engine, 'features'>,
): Promise<WeightFiles> => {
  const places = new Map<string, { directory: string; file: string }>()
  if (engine.features.externalFiles && folder.locate) {
    for (const file of files) places.set(file, await folder.locate(file))
  }
  const directories = new Set([...places.values()].map((place) => place.directory))
  const [directory] = directories
  return directories.size === 1 && directory !== undefined
    ? { links: () => linksByPath(directory, places) }
    : { links: () => linksByBytes(folder) }
}

/** Loads a graph whose weights are reached by links of its own; `build` emits it. */
export const openLinked = async (
  engine: Engine,
  files: WeightFiles,
  build: (links: WeightLinks) => Graph,
  options: Pick<SessionOptions, 'signal' | 'largePages'> = {},
): Promise<Session> => {
  const links = files.links()
  const model = build(links).toBytes()
  return engine.createSession(model, { ...(await links.sessionOptions(options)), ...options })
}

const linksByPath = (directory: string, places: ReadonlyMap<string, { file: string }>): WeightLinks => ({
  link: (span) => {
    const place = places.get(span.file)
    if (!place) throw new AwqError('NOT_FOUND', `${span.file} is not one of the model's weight files.`)
    return { ...span, file: place.file }
  },
  sessionOptions: async () => ({ externalDirectory: directory }),
})

const linksByBytes = (folder: Folder): WeightLinks => {
  const wanted = new Map<string, { name: string; span: FileRange }>()
  return {
    link(span) {
      const key = `${span.offset}+${span.length}@${span.file}`
      const known = wanted.get(key) ?? { name: `weights-${wanted.size}.bin`, span }
      wanted.set(key, known)
      return { file: known.name, offset: 0, length: span.length }
    },
    async sessionOptions({ signal } = {}) {
      const externalData: Record<string, Uint8Array> = {}
      const sources = new Map<string, Awaited<ReturnType<Folder['open']>>>()
      try {
        for (const { name, span } of wanted.values()) {
          const source = sources.get(span.file) ?? (await folder.open(span.file))
          sources.set(span.file, source)
          externalData[name] = await source.read(span.offset, span.length, { signal })
        }
      } finally {
        for (const source of sources.values()) await source.close?.()
      }
      return { externalData }
    },
  }
}
