/**
 * Models as a person points at them.
 * @module
 */
import { AwqError, type ByteSource, blobSource, type Folder, httpSource, readSourceText } from '@awq/tensor'

/** Something that can be opened as a model. */
export interface ModelSource {
  readonly name: string
  readonly open: () => Promise<Folder> | Folder
}

/** The files of a model that is asked for by address: a server does not say which it has. */
const usual = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'quantization.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
]

const folderOf = (
  name: string,
  names: () => Promise<string[]>,
  open: (file: string) => Promise<ByteSource>,
): Folder => ({
  name,
  list: names,
  has: async (file) => (await names()).includes(file),
  open,
  readText: async (file, options) => readSourceText(await open(file), options?.maxBytes),
})

export const addressSource = (address: string): ModelSource => {
  const base = address.endsWith('/') ? address : `${address}/`
  const name = decodeURIComponent(new URL(base).pathname.split('/').filter(Boolean).at(-1) ?? address)
  const open = (file: string) => httpSource(new URL(file, base))
  const there = (file: string) =>
    open(file).then(
      () => true,
      (error) => {
        if (AwqError.is(error) && error.code === 'NOT_FOUND') return false
        throw error
      },
    )
  return {
    name,
    open: async () => {
      const found = await Promise.all(usual.map(there))
      return folderOf(name, async () => usual.filter((_, index) => found[index]), open)
    },
  }
}

/** Files that were picked or dropped; of a folder's, those at its top. */
export const filesSource = (files: readonly File[]): ModelSource => {
  const flat = new Map(files.map((file) => [file.name, file]))
  const name = files[0]?.webkitRelativePath.split('/')[0] || 'picked files'
  const open = async (file: string) => {
    const found = flat.get(file)
    if (!found) throw new AwqError('NOT_FOUND', `${name} has no file ${file}`)
    return blobSource(found)
  }
  return { name, open: () => folderOf(name, async () => [...flat.keys()].sort(), open) }
}

/** The files of a drop, those of a dropped folder included. */
export const droppedFiles = async (data: DataTransfer): Promise<File[]> => {
  // All entries must be taken before the first wait: the browser takes the data back then.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null)
  const files: File[] = []
  for (const entry of entries) {
    const inside = entry.isDirectory ? await entriesOf(entry as FileSystemDirectoryEntry) : [entry]
    for (const each of inside) if (each.isFile) files.push(await fileOf(each as FileSystemFileEntry))
  }
  return files
}

const entriesOf = async (directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> => {
  const reader = directory.createReader()
  const all: FileSystemEntry[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return all
    all.push(...some)
  }
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject))
