/** Starts the Worker of a built package. Bundlers find it by the form of the expression. */
export const spawnWorker = (): Worker =>
  new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'awq-quantize' })
