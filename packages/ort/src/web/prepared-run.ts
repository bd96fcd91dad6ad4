import type { OnnxType } from '@awq/onnx'
import { AwqError, messageOf } from '@awq/tensor'
import { elementTypeName, elementTypeOf } from '../element-type.ts'
import { isDeviceTensor } from '../feeds.ts'
import { runError } from '../run-error.ts'
import { zeros } from '../tensor.ts'
import type { DeviceTensor, Feeds, Targets, Tensor } from '../types.ts'
import { allocate, check, copyIn, copyOut, failureError, lastFailure, withWords } from './calls.ts'
import type { LoadedSession } from './load-session.ts'
import type { WebRuntime } from './runtime.ts'
import { bytesOf, type Loan, makeValue, type TensorStore } from './tensor-store.ts'
import type { WasmModule } from './wasm-module.ts'

/** Feeds, targets and wanted outputs as the module takes them: one call is one run. */
export interface PreparedRun {
  /** One run, in turn. Throws `INVALID_ARGUMENT` when a device tensor is gone, else as ONNX Runtime failed. */
  run(runOptions: number): Promise<Record<string, Tensor>>
  /** Frees what was made for runs; called once, in turn. */
  release(): void
}

/** WebGPU's words for a kernel that was given one buffer to read and to write. It has then done nothing. */
const overlaps = /writable usage and another usage/

/** A tensor of JavaScript's memory and its place in the heap. */
interface Copied {
  readonly tensor: Tensor
  readonly pointer: number
}

/** Copies an output that ONNX Runtime has made to a tensor of our own. */
function readValue(module: WasmModule, value: number, name: string): Tensor {
  return withWords(module, 4, (words) => {
    const [type, data, dims, rank] = [words, words + 4, words + 8, words + 12]
    check(module, module._OrtGetTensorData(value, type, data, dims, rank), `give output ${name}`)
    const dtype = elementTypeName(module.getValue(type, 'i32'))
    if (!Object.hasOwn(elementTypeOf, dtype)) {
      throw new AwqError('UNSUPPORTED', `output ${name}: values of ${dtype} can not be read`)
    }
    const list = module.getValue(dims, '*') >>> 0
    const shape = Array.from({ length: module.getValue(rank, 'i32') }, (_, axis) =>
      module.getValue(list + 4 * axis, 'i32'),
    )
    module._OrtFree(list)
    const tensor = zeros(dtype as OnnxType, shape)
    copyOut(module, module.getValue(data, '*') >>> 0, tensor.data)
    return tensor
  })
}

/**
 * Prepares checked feeds and targets. Nothing of the module is touched before the first run, which has its turn: the
 * places of arrays in the heap are made then, and kept for the runs after it.
 * @throws AwqError `INVALID_ARGUMENT` for handles that are gone
 */
export function prepareRun(
  { module, health, survivesFailure }: WebRuntime,
  store: TensorStore,
  session: LoadedSession,
  feeds: Feeds,
  wanted: readonly string[],
  into: Targets,
): PreparedRun {
  const lent = new Map<number, Loan>()
  const fed: Copied[] = []
  const targets: Copied[] = []
  const own: { readonly value: number; readonly pointer: number }[] = []
  const [inputCount, outputCount] = [session.inputs.length, wanted.length]
  /** The four lists that a run takes, one after another: input names, inputs, output names, outputs. */
  const [inputs, outputNames, outputs] = [inputCount, 2 * inputCount, 2 * inputCount + outputCount]
  let lists = 0
  try {
    for (const [index, { name }] of session.inputs.entries()) {
      const value = feeds[name]!
      if (isDeviceTensor(value)) lent.set(inputs + index, store.lend(value, `input ${name}`))
    }
    for (const [index, name] of wanted.entries()) {
      const target = into[name]
      if (target && isDeviceTensor(target)) lent.set(outputs + index, store.lend(target, `into ${name}`))
    }
  } catch (error) {
    for (const loan of lent.values()) loan.release()
    throw error
  }

  const set = (slot: number, word: number): void => {
    module.HEAPU32[(lists >>> 2) + slot] = word
  }
  /** Makes a place in the heap for an array of JavaScript. */
  const place = (tensor: Tensor, slot: number, name: string): Copied => {
    const pointer = allocate(module, bytesOf(tensor), `take ${name}`)
    let value = 0
    try {
      value = makeValue(module, tensor, pointer, 'cpu', name)
    } finally {
      own.push({ pointer, value })
    }
    set(slot, value)
    return { tensor, pointer }
  }
  const makeLists = (): void => {
    lists = allocate(module, 8 * (inputCount + outputCount), 'run')
    for (const [index, { name }] of session.inputs.entries()) {
      set(index, session.names.get(name)!)
      const value = feeds[name]!
      if (!isDeviceTensor(value)) fed.push(place(value, inputs + index, `input ${name}`))
    }
    for (const [index, name] of wanted.entries()) {
      set(outputNames + index, session.names.get(name)!)
      const target = into[name]
      if (target && !isDeviceTensor(target)) targets.push(place(target, outputs + index, `into ${name}`))
    }
  }

  /** Outputs that lie over inputs. */
  const over = wanted.flatMap((name, index) => {
    const target = into[name]
    return target && isDeviceTensor(target) && Object.values(feeds).includes(target) ? [{ name, index, target }] : []
  })
  /** Other room for them, where a kernel cannot write over what it reads. */
  let apart: { readonly from: DeviceTensor; readonly to: DeviceTensor }[] = []
  const setApart = (): void => {
    apart = over.map(({ name, index, target }) => {
      const from = store.allocate(target.dtype, target.shape)
      lent.get(outputs + index)?.release()
      lent.set(outputs + index, store.lend(from, `into ${name}`))
      return { from, to: target }
    })
  }

  /** Where ONNX Runtime puts the outputs that have no room. */
  const unasked = wanted.flatMap((name, index) => (Object.hasOwn(into, name) ? [] : [{ name, slot: outputs + index }]))
  const address = (slot: number): number => lists + 4 * slot

  const runOnce = async (runOptions: number): Promise<void> => {
    if (lists === 0) makeLists()
    for (const [slot, loan] of lent) {
      const value = loan.value(session.handle)
      set(slot, typeof value === 'number' ? value : await value)
    }
    for (const { slot } of unasked) set(slot, 0)
    for (const { tensor, pointer } of fed) copyIn(module, tensor.data, pointer)
    const running = module._OrtRun(
      session.handle,
      address(0),
      address(inputs),
      inputCount,
      address(outputNames),
      outputCount,
      address(outputs),
      runOptions,
    )
    const code = typeof running === 'number' ? running : await health.guard(running)
    if (code !== 0) {
      const failure = lastFailure(module)
      throw runError(failure.message, into, () => failureError(module, 'run the graph', failure))
    }
  }

  return {
    async run(runOptions) {
      try {
        try {
          await runOnce(runOptions)
        } catch (error) {
          if (
            !survivesFailure ||
            !store.copy ||
            over.length === 0 ||
            apart.length > 0 ||
            !overlaps.test(messageOf(error))
          )
            throw error
          setApart()
          await runOnce(runOptions)
        }
        for (const { from, to } of apart) store.copy?.(from, to)
        for (const { tensor, pointer } of targets) copyOut(module, pointer, tensor.data)
        const results: Record<string, Tensor> = {}
        for (const [index, name] of wanted.entries()) {
          const target = into[name]
          if (!target) results[name] = readValue(module, module.getValue(address(outputs + index), '*') >>> 0, name)
          else if (!isDeviceTensor(target)) results[name] = target
        }
        return results
      } finally {
        if (!health.failure) {
          for (const { slot } of unasked) {
            const value = module.getValue(address(slot), '*')
            if (value !== 0) module._OrtReleaseTensor(value)
          }
        }
      }
    },
    release() {
      for (const loan of lent.values()) loan.release()
      lent.clear()
      for (const { from } of apart) from.dispose()
      if (health.failure) return
      for (const { value, pointer } of own.splice(0)) {
        if (value !== 0) module._OrtReleaseTensor(value)
        module._free(pointer)
      }
      if (lists !== 0) module._free(lists)
      lists = 0
    },
  }
}
