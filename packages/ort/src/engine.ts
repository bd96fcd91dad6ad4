import { AwqError, messageOf } from '@awq/tensor'
import { engineLife } from './engine-life.ts'
import { readExternalData } from './external-data.ts'
import { allocateTensor, holdTensor } from './held-tensor.ts'
import { fatalSeverity } from './log-severity.ts'
import type { RuntimeApi, RuntimeSession, RuntimeSessionOptions } from './runtime-api.ts'
import { wrapSession } from './session.ts'
import type { Device, Engine, EngineFeatures, SessionOptions } from './types.ts'

export interface EngineParts {
  readonly name: Engine['name']
  readonly device: Device
  readonly features: EngineFeatures
  readonly threads: number
  /** Name of ONNX Runtime's execution provider. */
  readonly provider: string
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

/** An engine over ONNX Runtime's JavaScript API, as onnxruntime-node has it. */
export function makeEngine(api: RuntimeApi, parts: EngineParts): Engine {
  // Its sessions share nothing.
  const life = engineLife(() => {})
  const load = async (model: Uint8Array, options: SessionOptions): Promise<RuntimeSession> => {
    options.signal?.throwIfAborted()
    const data = options.externalData && (await readExternalData(options.externalData, options.signal))
    const given = runtimeOptions(parts, options, data)
    try {
      return await api.InferenceSession.create(model, given)
    } catch (error) {
      throw new AwqError('ENGINE', `ONNX Runtime could not load the graph: ${messageOf(error)}`, { cause: error })
    }
  }
  const engine: Engine = {
    name: parts.name,
    device: parts.device,
    features: parts.features,
    threads: parts.threads,
    async createSession(model, options = {}) {
      life.check()
      options.signal?.throwIfAborted()
      const inner = await load(model, options)
      const session = wrapSession(api, inner)
      if (options.signal?.aborted) await session.dispose()
      options.signal?.throwIfAborted()
      return session
    },
    upload(value) {
      life.check()
      return holdTensor(api, value)
    },
    allocate(dtype, shape) {
      life.check()
      return allocateTensor(api, dtype, shape)
    },
    dispose: () => life.dispose(engine),
  }
  return engine
}
