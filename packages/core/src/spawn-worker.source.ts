/** Starts the Worker of the sources, which run as they are under the condition `@awq/source`. */
export const spawnWorker = (): Worker =>
  new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'awq-quantize' })
