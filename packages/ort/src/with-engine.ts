import { createEngine } from './create-engine.ts'
import type { Engine, EngineName, EngineOptions } from './types.ts'

/** An engine of the caller's, or what to make one of. */
export interface EngineChoice extends Omit<EngineOptions, 'engine'> {
  /** An engine is used as it is, and not disposed; of a name, one is made. */
  readonly engine?: Engine | EngineName | undefined
}

/** The options of `createEngine` among those of a choice. */
export const engineOptionsOf = (choice: EngineChoice): EngineOptions => {
  const { engine, device, threads, library, providerOptions, spin, onWarning, worker, wasmPaths } = choice
  return {
    engine: typeof engine === 'object' ? undefined : engine,
    device,
    threads,
    library,
    providerOptions,
    spin,
    onWarning,
    worker,
    wasmPaths,
  }
}

/**
 * Runs `use` with the caller's engine, or with one that is made for it and disposed afterwards.
 * @throws AwqError as `createEngine`, and what `use` throws
 */
export async function withEngine<T>(choice: EngineChoice, use: (engine: Engine) => Promise<T>): Promise<T> {
  if (typeof choice.engine === 'object') return use(choice.engine)
  const own = await createEngine(engineOptionsOf(choice))
  try {
    return await use(own)
  } finally {
    await own.dispose()
  }
}
