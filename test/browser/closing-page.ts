/**
 * A page that quantizes, and tells the page around it of every finished block; it is closed in the middle.
 * @module
 */
import { quantizeInWorker } from '@awq/core/browser'
import { stories } from './stories.ts'

const { output, ...options } = JSON.parse(new URLSearchParams(location.search).get('options')!) as { output: string }
await quantizeInWorker({
  model: await stories(),
  output,
  ...options,
  onProgress: (event) => event.type === 'layer' && parent.postMessage({ layer: event.layer }, location.origin),
})
