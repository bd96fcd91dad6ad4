import type { Folder } from '@awq/tensor'
import { useState } from 'preact/hooks'
import { messageOf } from '../../browser-shared/format.ts'

/** Chromium's dialog for a folder; TypeScript's library of the DOM does not have it. */
type PickDirectory = (options: { mode: 'readwrite' }) => Promise<FileSystemDirectoryHandle>
const { showDirectoryPicker } = globalThis as { showDirectoryPicker?: PickDirectory }

/** A file of a folder as a Blob: from private storage it is not read into memory. */
const blobOf = async (folder: Folder, file: string): Promise<Blob> => {
  const source = await folder.open(file)
  const blob = await source.blob?.(0, source.size)
  return blob ?? new Blob([(await source.read(0, source.size)) as Uint8Array<ArrayBuffer>])
}

const copyInto = async (folder: Folder, directory: FileSystemDirectoryHandle, onFile: (file: string) => void) => {
  for (const file of await folder.list()) {
    onFile(file)
    const handle = await directory.getFileHandle(file, { create: true })
    await (await blobOf(folder, file)).stream().pipeTo(await handle.createWritable())
  }
}

const download = async (folder: Folder, onFile: (file: string) => void): Promise<void> => {
  for (const file of await folder.list()) {
    onFile(file)
    const link = document.createElement('a')
    link.href = URL.createObjectURL(await blobOf(folder, file))
    link.download = file
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  }
}

/** Takes a model out of the browser: into a folder where the browser can write to one, as downloads elsewhere. */
export const SaveButton = ({ folder }: { readonly folder: Folder }) => {
  const [state, setState] = useState<{ readonly text: string; readonly busy: boolean }>()
  const save = async (): Promise<void> => {
    const onFile = (file: string) => setState({ text: `${file}…`, busy: true })
    try {
      if (showDirectoryPicker) await copyInto(folder, await showDirectoryPicker({ mode: 'readwrite' }), onFile)
      else await download(folder, onFile)
      setState({ text: 'Saved.', busy: false })
    } catch (error) {
      const left = error instanceof DOMException && error.name === 'AbortError'
      setState(left ? undefined : { text: messageOf(error), busy: false })
    }
  }
  return (
    <>
      <button type="button" disabled={state?.busy} onClick={save}>
        {showDirectoryPicker ? 'Save to a folder' : 'Download its files'}
      </button>
      <span class="saved" role="status">
        {state?.text}
      </span>
    </>
  )
}
