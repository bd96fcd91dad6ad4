/**
 * A model that a page has loaded, and what is worth knowing of it.
 * @module
 */
import { modelParameters } from '@awq/models'
import type { LanguageModel, LoadEvent } from '@awq/runtime'
import { loadModel } from '@awq/runtime/browser'
import type { ModelSource } from './folders.ts'
import { byteSize, largeNumber } from './format.ts'
import type { PageDevice } from './machine.ts'
import { offlineAdvice } from './offline.ts'

/** A model that is ready to answer. */
export interface PageModel {
  readonly name: string
  readonly model: LanguageModel
  /** Whether it knows conversations; another one continues a text. */
  readonly converses: boolean
  /** What is worth knowing of it. */
  readonly facts: readonly string[]
  /** What went otherwise than asked for: a GPU that computes wrong, for one. */
  readonly warnings: readonly string[]
}

/** How a page loads a model. */
export interface PageLoadSettings {
  readonly device: PageDevice
  readonly signal: AbortSignal
  readonly onProgress: (event: LoadEvent) => void
}

/** Loads a model: float checkpoints and quantized ones alike. */
export const openPageModel = async ({ name, open }: ModelSource, settings: PageLoadSettings): Promise<PageModel> => {
  const { device, signal, onProgress } = settings
  const warnings: string[] = []
  let memory = ''
  const told = (error: unknown): never => {
    const advice = error instanceof Error ? offlineAdvice(error.message) : undefined
    throw advice === undefined ? error : new Error(advice, { cause: error })
  }
  const model = await loadModel(await open(), {
    ...{ device, signal },
    // Exact products: the same text on every device.
    accuracy: 'exact',
    onWarning: (message) => warnings.push(message),
    onProgress: (event) => {
      if (event.stage === 'ready' && event.memory) memory = `${byteSize(event.memory.heapBytes)} of memory`
      onProgress(event)
    },
  }).catch(told)
  return {
    ...{ name, model, warnings },
    converses: model.tokenizer.chatTemplate !== undefined,
    facts: [...factsOf(model), memory].filter(Boolean),
  }
}

const factsOf = ({ description, kind, opened, activations, contextLength }: LanguageModel): string[] => {
  let parameters = 0
  for (const { shape } of modelParameters(description)) parameters += shape.reduce((product, size) => product * size, 1)
  const { device, threads } = opened.engine
  return [
    `${largeNumber(parameters)} parameters`,
    kind,
    device === 'webgpu'
      ? `WebGPU, ${activations}`
      : `WebAssembly, ${threads === 1 ? '1 thread' : `${threads} threads`}`,
    `${contextLength} tokens of context`,
  ]
}
