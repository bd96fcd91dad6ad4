/**
 * A page that quantizes, and tells the page around it of every finished block and every stage; it is closed in
 * the middle.
 * @module
 */
import { quantizeInWorker } from '@awq/core/browser'
import { stories } from './stories.ts'

const { output, picked, ...options } = JSON.parse(new URLSearchParams(location.search).get('options')!) as {
  output: string
  /** Whether the output is a folder that the user chose, for which one of the private file system stands. */
  picked: boolean
}
const root = await navigator.storage.getDirectory()
const tell = (what: object) => parent.postMessage({ output, ...what }, location.origin)
const model = await stories()
tell({ stage: 'begun' })
await quantizeInWorker({
  model,
  output: picked ? await root.getDirectoryHandle(output, { create: true }) : output,
  ...options,
  onProgress: (event) => {
    if (event.type === 'layer') tell({ layer: event.layer })
    else if (event.type === 'stage') tell({ stage: event.stage })
  },
})
tell({ stage: 'done' })
