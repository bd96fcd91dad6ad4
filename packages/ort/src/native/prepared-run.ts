import { AwqError } from '@awq/tensor'
import { isDeviceTensor } from '../feeds.ts'
import { runError } from '../run-error.ts'
import type { DeviceTensor, Feeds, Targets, Tensor } from '../types.ts'
import { callAsync } from './call-async.ts'
import { nativeString, nativeWords } from './memory.ts'
import type { Status } from './native-types.ts'
import type { Runtime } from './runtime.ts'
import { takeFailure } from './status.ts'
import type { TensorStore } from './tensor-store.ts'
import { type Lease, lendTensor, readValue } from './value.ts'

/** The names of a session's inputs and outputs as C strings, made once. */
export interface NameTable {
  readonly inputs: readonly string[]
  /** Keeps the strings referenced. */
  readonly strings: unknown
  addressOf(name: string): bigint
}

export function nameTable({ koffi }: Runtime, inputs: readonly string[], outputs: readonly string[]): NameTable {
  const strings = [...new Set([...inputs, ...outputs])].map((name) => ({ name, text: nativeString(name) }))
  const addresses = new Map(strings.map(({ name, text }) => [name, koffi.address(text)]))
  return { inputs, strings, addressOf: (name) => addresses.get(name)! }
}

/** Feeds, targets and wanted outputs as the C API takes them: one call is one run. */
export interface PreparedRun {
  /** Throws `INVALID_ARGUMENT` when memory it was made for is gone. */
  check(): void
  /** One run on another thread; the status is the caller's to give to `finish` or to free. */
  start(session: bigint, runOptions: bigint): Promise<Status>
  /** The same on the calling thread. */
  runHere(session: bigint, runOptions: bigint): Status
  /** The results of a run that succeeded. Throws as ONNX Runtime failed. */
  finish(status: Status): Record<string, Tensor>
  /** Frees what a run has made whose results nobody wants. */
  discard(status: Status): void
  /** Frees the values; the prepared run ends. */
  release(): void
}

/** Prepares checked feeds and targets. Throws `INVALID_ARGUMENT` for memory that may move and for handles that are gone. */
export function prepareRun(
  runtime: Runtime,
  store: TensorStore,
  names: NameTable,
  feeds: Feeds,
  wanted: readonly string[],
  into: Targets,
): PreparedRun {
  const { api, koffi } = runtime
  const leases: { readonly lease: Lease; readonly slot: number }[] = []
  const lend = (slot: number, value: Tensor | DeviceTensor, name: string): void => {
    const lease = isDeviceTensor(value) ? store.lend(value, name) : lendTensor(runtime, value, name)
    leases.push({ lease, slot })
  }
  const release = () => {
    for (const { lease } of leases.splice(0)) lease.release()
  }

  const inputCount = names.inputs.length
  const outputCount = wanted.length
  // One block for the four arrays that Run takes: input names, input values, output names, output values.
  const words = nativeWords(2 * (inputCount + outputCount) + 1)
  const outputs = words.subarray(2 * inputCount + outputCount, 2 * (inputCount + outputCount))
  const made: { readonly name: string; readonly index: number }[] = []
  const returned: Record<string, Tensor> = {}
  try {
    for (const [index, name] of names.inputs.entries()) {
      words[index] = names.addressOf(name)
      lend(inputCount + index, feeds[name]!, `input ${name}`)
    }
    for (const [index, name] of wanted.entries()) {
      words[2 * inputCount + index] = names.addressOf(name)
      const target = Object.hasOwn(into, name) ? into[name] : undefined
      if (target === undefined) made.push({ name, index })
      else lend(2 * inputCount + outputCount + index, target, `into ${name}`)
      if (target !== undefined && !isDeviceTensor(target)) returned[name] = target
    }
  } catch (error) {
    release()
    throw error
  }
  const start = koffi.address(words)
  const [inputNames, inputValues] = [start, start + BigInt(8 * inputCount)]
  const outputNames = start + BigInt(16 * inputCount)
  const outputValues = outputNames + BigInt(8 * outputCount)

  /** Frees the outputs that ONNX Runtime has made and leaves their places empty for the next run. */
  const clear = () => {
    for (const { index } of made) {
      if (outputs[index] !== 0n) api.ReleaseValue(outputs[index]!)
      outputs[index] = 0n
    }
  }

  const places = [inputNames, inputValues, inputCount, outputNames, outputCount, outputValues] as const
  const used = [words, names, feeds, into]
  return {
    check() {
      // A tensor of the device may get its value only now, after the copy that was queued before this run.
      for (const { lease, slot } of leases) {
        lease.check()
        words[slot] = lease.value
      }
    },
    start: (session, options) => callAsync(api.Run, used, session, options, ...places),
    runHere: (session, options) => api.Run(session, options, ...places),
    finish(status) {
      try {
        const failure = takeFailure(runtime, status)
        if (failure) {
          const { code, message } = failure
          const words = `ONNX Runtime could not run the graph: ${message} (ORT ${code})`
          throw runError(message, into, () => new AwqError('ENGINE', words))
        }
        // In the order of the outputs, whether they were given room or not.
        const results: Record<string, Tensor> = {}
        for (const [index, name] of wanted.entries()) {
          const target = returned[name]
          if (target) results[name] = target
          else if (!Object.hasOwn(into, name)) results[name] = readValue(runtime, outputs[index]!, name)
        }
        return results
      } finally {
        clear()
      }
    },
    discard(status) {
      takeFailure(runtime, status)
      clear()
    },
    release,
  }
}
