/**
 * A loaded module of onnxruntime-web, what may be done in it when, and whether it still works.
 * @module
 */
import { AwqError, messageOf } from '@awq/tensor'
import { fatalSeverity } from '../log-severity.ts'
import { createTurns, type Turns } from '../turns.ts'
import { check } from './calls.ts'
import { crashed, createHealth, type Health } from './health.ts'
import type { ModuleFactory, WasmModule } from './wasm-module.ts'

/** URLs of one of onnxruntime-web's builds. */
export interface ModuleFiles {
  readonly script: string
  readonly wasm: string
}

export interface WebRuntime {
  readonly module: WasmModule
  readonly threads: number
  /** The queue of everything that may wait inside the module: it must not be entered a second time meanwhile. */
  readonly turns: Turns
  /** Whether the module has not crashed. */
  readonly health: Health
  /**
   * Whether a session can run again after a run that failed. In the build that is rewritten for waiting (it has
   * `asyncInit`), the next run would never return and block its thread.
   */
  readonly survivesFailure: boolean
  /** One step in the module, unless the runtime has ended. */
  enter<T>(step: () => T): T
  /** What a call threw, as an error of ours. What the module throws by itself, a trap or an abort, ends the runtime. */
  explain(error: unknown): AwqError
}

const advice =
  "Serve these files of onnxruntime-web beside your program, or give their folder as wasmPaths; under vite's development " +
  "server: optimizeDeps: { exclude: ['@awq/ort'] }"

/**
 * A script's URL from which threads can be started: browsers start Workers from the page's own origin only, so that a
 * script of another one is fetched first.
 */
async function startable(script: string, threads: number): Promise<{ url: string; free(): void }> {
  const own = globalThis.location?.origin
  if (threads === 1 || own === undefined || new URL(script).origin === own) return { url: script, free() {} }
  const response = await fetch(script)
  if (!response.ok) throw new Error(`${script}: status ${response.status}`)
  const url = URL.createObjectURL(await response.blob())
  return { url, free: () => URL.revokeObjectURL(url) }
}

/** Loads a module. Throws `UNSUPPORTED` when its files are not there or the browser cannot run them. */
export async function openRuntime(files: ModuleFiles, threads: number): Promise<WebRuntime> {
  let module: WasmModule
  try {
    const { url, free } = await startable(files.script, threads)
    const { default: factory } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ url)) as {
      default: ModuleFactory
    }
    module = await factory({ numThreads: threads, locateFile: () => files.wasm })
    free()
  } catch (cause) {
    throw new AwqError(
      'UNSUPPORTED',
      `onnxruntime-web did not load from ${files.script} and ${files.wasm}: ${messageOf(cause)}. ${advice}`,
      { cause },
    )
  }
  check(module, module._OrtInit(threads, fatalSeverity), 'start')
  const health = createHealth()
  const explain = (error: unknown): AwqError => {
    if (AwqError.is(error)) return error
    health.end(crashed(error))
    return health.failure as AwqError
  }
  return {
    module,
    threads,
    turns: createTurns(),
    health,
    survivesFailure: module.asyncInit === undefined,
    explain,
    enter(step) {
      health.check()
      try {
        return step()
      } catch (error) {
        throw explain(error)
      }
    },
  }
}

const runtimes = new Map<string, Promise<WebRuntime>>()

/** The runtime of these files in this thread, loaded when first asked for; one that has ended is replaced. */
export async function sharedRuntime(files: ModuleFiles, threads: number): Promise<WebRuntime> {
  const key = `${files.script} ${threads}`
  const known = runtimes.get(key)
  if (known && (await known.catch(() => undefined))?.health.failure === undefined) return known
  const opened = openRuntime(files, threads)
  runtimes.set(key, opened)
  opened.catch(() => runtimes.delete(key))
  return opened
}

const withGpu = new WeakSet<WasmModule>()

/** Makes a module ready for WebGPU. */
export function startGpu(module: WasmModule): void {
  if (withGpu.has(module)) return
  withGpu.add(module)
  module.asyncInit?.()
  module.webgpuInit!(() => {})
}
