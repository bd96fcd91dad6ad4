import { fatalSeverity } from '../log-severity.ts'
import type { Device, SessionOptions } from '../types.ts'
import { appendProvider } from './execution-provider.ts'
import { nativeString, nativeWords, pointersTo } from './memory.ts'
import type { Runtime } from './runtime.ts'
import { check } from './status.ts'

/** What the engine adds to a session's own options. */
export interface EngineSettings {
  readonly device: Device
  readonly threads: number
  readonly spin: boolean
  readonly providerOptions: Readonly<Record<string, string>>
}

const optimizeAll = 99
const optimizeNothing = 0

/** Hands over files in memory. The library copies what it needs while the session is made. */
function addFiles(runtime: Runtime, options: bigint, files: Readonly<Record<string, Uint8Array>>): unknown {
  const { api, koffi } = runtime
  const given = Object.entries(files)
  if (given.length === 0) return undefined
  const names = pointersTo(
    koffi,
    given.map(([name]) => nativeString(name, true)),
  )
  const data = pointersTo(
    koffi,
    given.map(([, bytes]) => bytes),
  )
  const lengths = nativeWords(given.length)
  for (const [index, [, bytes]] of given.entries()) lengths[index] = BigInt(bytes.byteLength)
  check(
    runtime,
    api.AddExternalInitializersFromFilesInMemory(options, names.words, data.words, lengths, given.length),
    'take external data',
  )
  return [names, data, lengths]
}

/** The entries of ONNX Runtime's session configuration. */
function configuration(settings: EngineSettings, options: SessionOptions, required: boolean): Record<string, string> {
  const { externalDirectory } = options
  const entries: Record<string, string> = {}
  if (!settings.spin) {
    entries['session.intra_op.allow_spinning'] = '0'
    entries['session.inter_op.allow_spinning'] = '0'
  }
  if (externalDirectory !== undefined) {
    entries['session.model_external_initializers_file_folder_path'] = externalDirectory
  }
  if (required) entries['session.disable_cpu_ep_fallback'] = '1'
  return entries
}

/** Options for CreateSession; `kept` must stay referenced until the session is made. */
export interface NativeSessionOptions {
  readonly options: bigint
  readonly kept: unknown
}

/** Options of a session whose external data has been read. */
export interface ReadOptions extends Omit<SessionOptions, 'externalData'> {
  readonly externalData?: Readonly<Record<string, Uint8Array>> | undefined
}

/**
 * Makes an OrtSessionOptions, which the caller releases.
 * @param required refuses the graph when the CPU would have to compute a part of it
 * @throws AwqError `ENGINE` when ONNX Runtime refuses an option
 */
export function makeSessionOptions(
  runtime: Runtime,
  settings: EngineSettings,
  given: ReadOptions,
  required = false,
): NativeSessionOptions {
  const { api } = runtime
  const options = runtime.make('make session options', (out) => api.CreateSessionOptions(out))
  const set = (status: bigint | null) => check(runtime, status, 'take a session option')
  try {
    set(api.SetIntraOpNumThreads(options, settings.threads))
    set(api.SetInterOpNumThreads(options, 1))
    set(api.SetSessionGraphOptimizationLevel(options, given.optimize === false ? optimizeNothing : optimizeAll))
    set(api.SetSessionLogSeverityLevel(options, fatalSeverity))
    for (const [key, value] of Object.entries(configuration(settings, given, required))) {
      set(api.AddSessionConfigEntry(options, key, value))
    }
    if (given.planMemory === false) set(api.DisableMemPattern(options))
    if (given.profile !== undefined) set(api.EnableProfiling(options, nativeString(given.profile, true)))
    appendProvider(runtime, options, settings.device, settings.providerOptions)
    return { options, kept: addFiles(runtime, options, given.externalData ?? {}) }
  } catch (error) {
    api.ReleaseSessionOptions(options)
    throw error
  }
}
