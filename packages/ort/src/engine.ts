import { AwqError, messageOf } from '@awq/tensor'
import { releaseSessions } from './cached-session.ts'
import { lazyExternalData, readExternalData } from './external-data.ts'
import { allocateTensor, holdTensor } from './held-tensor.ts'
import { fatalSeverity } from './log-severity.ts'
import type { RuntimeApi, RuntimeSession, RuntimeSessionOptions } from './runtime-api.ts'
import { wrapSession } from './session.ts'
import { createTurns, type Turns } from './turns.ts'
import type { Device, Engine, EngineFeatures, SessionOptions } from './types.ts'

export interface EngineParts {
  readonly name: Engine['name']
  readonly device: Device
  readonly features: EngineFeatures
  readonly threads: number
  /** Name of ONNX Runtime's execution provider. */
  readonly provider: string
  /** Whether a session can run again after a run that failed. Default true. */
  readonly survivesFailure?: boolean
  /** The queue of all loads and runs, for a runtime that must not be entered twice; without one every session has its own. */
  readonly turns?: Turns
  /** Whether Blobs of external data are read when ONNX Runtime asks for their bytes. */
  readonly readsLate?: boolean
}

function runtimeOptions(
  parts: EngineParts,
  options: SessionOptions,
  externalData: Readonly<Record<string, Uint8Array>> | undefined,
): RuntimeSessionOptions {
  const { externalDirectory, profile, optimize = true, planMemory = true } = options
  const session: Record<string, string> = {}
  if (externalDirectory !== undefined) {
    if (!parts.features.externalFiles) {
      throw new AwqError('UNSUPPORTED', `${parts.name} reads no files: give the external data in externalData`)
    }
    session.model_external_initializers_file_folder_path = externalDirectory
  }
  if (profile !== undefined && !parts.features.externalFiles) {
    throw new AwqError('UNSUPPORTED', `${parts.name} writes no profile`)
  }
  return {
    executionProviders: [parts.provider],
    intraOpNumThreads: parts.threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: optimize ? 'all' : 'disabled',
    logSeverityLevel: fatalSeverity,
    ...(planMemory ? {} : { enableMemPattern: false }),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    ...(externalData === undefined
      ? {}
      : { externalData: Object.entries(externalData).map(([path, data]) => ({ path, data })) }),
    extra: { session },
  }
}

/** An engine over ONNX Runtime's JavaScript API; `onnxruntime-node` and `onnxruntime-web` differ only in `parts`. */
export function makeEngine(api: RuntimeApi, parts: EngineParts): Engine {
  let disposed = false
  const checkAlive = () => {
    if (disposed) throw new AwqError('INVALID_ARGUMENT', 'the engine has been disposed')
  }
  const turns = parts.turns ?? createTurns()
  const load = async (model: Uint8Array, options: SessionOptions): Promise<RuntimeSession> => {
    options.signal?.throwIfAborted()
    const lazy = options.externalData && parts.readsLate ? lazyExternalData(options.externalData) : undefined
    const data = lazy?.data ?? (options.externalData && (await readExternalData(options.externalData, options.signal)))
    const given = runtimeOptions(parts, options, data)
    try {
      return await api.InferenceSession.create(model, given)
    } catch (error) {
      const failure = lazy?.failure()
      if (failure) throw failure
      throw new AwqError('ENGINE', `ONNX Runtime could not load the graph: ${messageOf(error)}`, { cause: error })
    }
  }
  const engine: Engine = {
    name: parts.name,
    device: parts.device,
    features: parts.features,
    threads: parts.threads,
    async createSession(model, options = {}) {
      checkAlive()
      options.signal?.throwIfAborted()
      const inner = await turns.take(() => load(model, options))
      const session = wrapSession(api, inner, parts.turns ?? createTurns(), parts.survivesFailure ?? true)
      if (options.signal?.aborted) await session.dispose()
      options.signal?.throwIfAborted()
      return session
    },
    upload(value) {
      checkAlive()
      return holdTensor(api, value)
    },
    allocate(dtype, shape) {
      checkAlive()
      return allocateTensor(api, dtype, shape)
    },
    async dispose() {
      disposed = true
      await releaseSessions(engine)
    },
  }
  return engine
}
