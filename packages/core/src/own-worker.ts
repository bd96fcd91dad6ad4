import { AwqError } from '@awq/tensor'

/**
 * The package's Worker. Bundlers know this form, and make a file of the module.
 * @throws AwqError UNSUPPORTED where the page may not make it
 */
export const ownWorker = (): Worker => {
  try {
    return new Worker(new URL('./quantize-worker.ts', import.meta.url), { type: 'module', name: 'awq-quantize' })
  } catch (cause) {
    throw new AwqError(
      'UNSUPPORTED',
      'the page may not start the Worker of @awq/core: allow it by the content security policy (worker-src), or give ' +
        'one as the option `worker`',
      { cause },
    )
  }
}
