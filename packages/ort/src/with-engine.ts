import { createEngine } from './create-engine.ts'
import type { Engine, EngineOptions } from './types.ts'

/** An engine of the caller's, or what to make one of. */
export interface EngineChoice extends Pick<EngineOptions, 'device' | 'threads'> {
  /** Used as it is, and not disposed. */
  readonly engine?: Engine | undefined
}

/**
 * Runs `use` with the caller's engine, or with one that is made for it and disposed afterwards.
 * @throws AwqError as `createEngine`, and what `use` throws
 */
export async function withEngine<T>(choice: EngineChoice, use: (engine: Engine) => Promise<T>): Promise<T> {
  const { engine, device, threads } = choice
  if (engine) return use(engine)
  const own = await createEngine({ device, threads })
  try {
    return await use(own)
  } finally {
    await own.dispose()
  }
}
