/**
 * Models as a person points at them, and as this browser keeps them.
 * @module
 */
import type { Folder } from '@awq/tensor'
import {
  cachedFolder,
  cachedModels,
  directoryFolder,
  filesFolder,
  hubModel,
  modelFolder,
  removeCached,
  urlFolder,
} from '@awq/tensor/browser'

/** Something that can be opened as a model. */
export interface ModelSource {
  readonly name: string
  readonly open: () => Promise<Folder> | Folder
}

/** The last part of an address that says something: `NAME` of `https://huggingface.co/ORG/NAME/resolve/main/`. */
const nameOf = (address: string): string => {
  const { pathname, host } = new URL(address)
  const parts = pathname.replace(/\/resolve\/[^/]+\/?$/, '').split('/')
  return decodeURIComponent(parts.filter(Boolean).at(-1) ?? host)
}

const companions = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json']

/** A model that comes with the page: the service worker keeps it. Without a list of files a server is asked for each. */
export const bundledSource = (folder: string, weights: readonly string[]): ModelSource => ({
  name: folder,
  open: () => urlFolder(new URL(`models/${folder}/`, document.baseURI), { files: [...companions, ...weights] }),
})

/** A model of the hub, or at an address. What is downloaded stays in this browser, and an interrupted download goes on. */
export const addressSource = (address: string): ModelSource => ({
  name: nameOf(hubModel(address)?.url ?? address),
  open: async () => {
    // Asks the browser not to make room by throwing the model away.
    await navigator.storage.persist?.()
    return modelFolder(address)
  },
})

/** A copy that another program of this host gave a name of its own: where it is from is not known. */
const copySource = (name: string): ModelSource => ({
  name,
  open: () =>
    cachedFolder(
      () => {
        throw new Error(`${name}: the copy in this browser is not whole, and where it is from is not known`)
      },
      { name },
    ),
})

/** Files that were picked or dropped, perhaps as a folder of that name. */
export const filesSource = (files: readonly File[], name?: string): ModelSource => {
  const folder = filesFolder(files, name)
  return { name: folder.name, open: () => folder }
}

/** A model that this browser keeps. */
export interface StoredModel {
  readonly source: ModelSource
  /** Where it is from. */
  readonly about: string
  readonly bytes: number
  readonly remove: () => Promise<void>
}

/** The folder of the private file system that the quantizer page writes to. */
export const QUANTIZED = 'quantized'

const sizeOf = async (directory: FileSystemDirectoryHandle): Promise<number> => {
  let bytes = 0
  for await (const entry of directory.values())
    if (entry.kind === 'file') bytes += (await (entry as FileSystemFileHandle).getFile()).size
  return bytes
}

/** Models that were quantized on this host. */
const quantizedModels = async (): Promise<StoredModel[]> => {
  const root = await navigator.storage.getDirectory()
  const parent = await root.getDirectoryHandle(QUANTIZED, { create: true })
  const models: StoredModel[] = []
  for await (const [name, entry] of parent.entries()) {
    if (entry.kind !== 'directory') continue
    const folder = directoryFolder(entry as FileSystemDirectoryHandle, name)
    if (!(await folder.has('quantization.json'))) continue
    models.push({
      source: { name, open: () => folder },
      about: 'quantized here',
      bytes: await sizeOf(entry as FileSystemDirectoryHandle),
      remove: () => parent.removeEntry(name, { recursive: true }),
    })
  }
  return models
}

/** All models that this browser keeps for this host. */
export const storedModels = async (): Promise<StoredModel[]> => {
  const downloaded = (await cachedModels()).map(({ name, bytes, complete }) => ({
    source: URL.canParse(name) ? addressSource(name) : copySource(name),
    about: `${URL.canParse(name) ? new URL(name).host : 'a copy'}${complete ? '' : ', not all of it yet'}`,
    bytes,
    remove: () => removeCached(name),
  }))
  return [...(await quantizedModels()), ...downloaded]
}

/** What was dropped: files, or those of a folder and its name. */
export interface Dropped {
  readonly files: readonly File[]
  readonly folder?: string
}

/** The files of a drop, those of a dropped folder included. */
export const droppedFiles = async (data: DataTransfer): Promise<Dropped> => {
  // All must be taken before the first wait: the browser takes the data back then. A file that lies on no disk has no entry.
  const taken = [...data.items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }))
  const entries = taken.flatMap(({ entry }) => entry ?? [])
  const files = taken.flatMap(({ entry, file }) => (entry ? [] : (file ?? [])))
  for (const entry of entries) {
    const inside = entry.isDirectory ? await entriesOf(entry as FileSystemDirectoryEntry) : [entry]
    for (const each of inside) if (each.isFile) files.push(await fileOf(each as FileSystemFileEntry))
  }
  const [only, ...others] = entries
  return { files, ...(only?.isDirectory && others.length === 0 ? { folder: only.name } : {}) }
}

const entriesOf = async (directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> => {
  const reader = directory.createReader()
  const all: FileSystemEntry[] = []
  for (;;) {
    // A reader gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return all
    all.push(...some)
  }
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject))
