/**
 * The module of the Worker that `quantizeInWorker` and `compareInWorker` start.
 * @module
 */
import { type PageMessage, sentError, type Task, type WorkerMessage } from './browser/messages.ts'
import { remoteFolder } from './browser/remote-folder.ts'
import { compare } from './compare.ts'
import type { OnProgress } from './progress.ts'
import { quantizeInto } from './quantize.ts'
import { openWorkspace } from './workspace.browser.ts'

/** The part of a Worker's global scope that is used. */
interface Scope {
  onmessage: ((event: MessageEvent<PageMessage>) => void) | null
  postMessage(message: WorkerMessage): void
}

const perform = (task: Task, model: Extract<PageMessage, { type: 'begin' }>['model'], say: Scope['postMessage']) => {
  const onProgress: OnProgress = (event) => say({ type: 'progress', event })
  const common = {
    model: typeof model === 'string' ? model : remoteFolder(model),
    signal: controller.signal,
    onProgress,
    onWarning: (message: string) => onProgress({ type: 'warning', message }),
  }
  if (task.name === 'compare') return compare({ ...task.options, ...common, onRow: (row) => say({ type: 'row', row }) })
  const { output } = task
  const name = typeof output === 'string' ? output : output.name
  return quantizeInto(() => openWorkspace(output), { ...task.options, ...common, output: name })
}

const controller = new AbortController()
const scope = globalThis as unknown as Scope

scope.onmessage = async ({ data }) => {
  if (data.type === 'abort') return controller.abort()
  try {
    const result = await perform(data.task, data.model, (message) => scope.postMessage(message))
    scope.postMessage({ type: 'done', result })
  } catch (error) {
    scope.postMessage({ type: 'failed', error: sentError(error) })
  }
}
