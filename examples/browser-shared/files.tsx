import { useEffect, useState } from 'preact/hooks'
import { type Dropped, droppedFiles } from './folders.ts'
import { messageOf } from './format.ts'

interface Props {
  readonly label: string
  /** A whole folder is chosen. */
  readonly folder?: boolean
  /** Types of files, such as `image/*`: then one file is chosen. */
  readonly accept?: string
  readonly onFiles: (files: File[]) => void
}

/** A button that lets a person choose files. */
export const FileButton = ({ label, folder = false, accept, onFiles }: Props) => (
  <label class="button">
    {label}
    <input
      class="hidden"
      type="file"
      multiple={accept === undefined}
      accept={accept}
      ref={(input) => {
        if (input) input.webkitdirectory = folder
      }}
      onChange={(event) => {
        onFiles([...(event.currentTarget.files ?? [])])
        // The same choice again is a choice, too.
        event.currentTarget.value = ''
      }}
    />
  </label>
)

/** Takes files that are dropped anywhere on the page; true while some are above it. */
export const useDrop = (onDrop: (dropped: Dropped) => void): boolean => {
  const [over, setOver] = useState(false)
  useEffect(() => {
    const listening = new AbortController()
    const { signal } = listening
    const wanted = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false
    addEventListener(
      'dragover',
      (event) => {
        if (!wanted(event)) return
        event.preventDefault()
        setOver(true)
      },
      { signal },
    )
    addEventListener(
      'dragleave',
      (event) => {
        if (event.relatedTarget === null) setOver(false)
      },
      { signal },
    )
    addEventListener(
      'drop',
      (event) => {
        if (!wanted(event)) return
        event.preventDefault()
        setOver(false)
        droppedFiles(event.dataTransfer!).then(onDrop, (error) => console.warn(messageOf(error)))
      },
      { signal },
    )
    return () => listening.abort()
  })
  return over
}
