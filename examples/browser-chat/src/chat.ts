/**
 * All that this page does with the libraries: load a model, let it answer, free it.
 * @module
 */
import { modelParameters } from '@awq/models'
import { type GenerationResult, type LanguageModel, type LoadEvent, loadModel } from '@awq/runtime'
import type { ModelSource } from '../../browser-shared/folders.ts'
import { byteSize, largeNumber } from '../../browser-shared/format.ts'
import type { PageDevice } from '../../browser-shared/machine.ts'
import type { Settings } from './settings.ts'

/** A question and what became of it. */
export interface Turn {
  readonly question: string
  readonly answer: string
  /** There when the answer has ended by itself. */
  readonly result?: GenerationResult
  /** What went wrong, or that it was stopped. */
  readonly note?: string
}

/** A model that is ready to answer. */
export interface Chat {
  readonly name: string
  readonly model: LanguageModel
  /** Whether it knows conversations; another one continues a text. */
  readonly converses: boolean
  /** What is worth knowing of it. */
  readonly facts: readonly string[]
  /** What went otherwise than asked for: a GPU that computes wrong, for one. */
  readonly warnings: readonly string[]
}

interface LoadSettings {
  readonly device: PageDevice
  readonly signal: AbortSignal
  readonly onProgress: (event: LoadEvent) => void
}

/** Loads a model: float checkpoints and quantized ones alike. */
export const openChat = async ({ name, open }: ModelSource, settings: LoadSettings): Promise<Chat> => {
  const { device, signal, onProgress } = settings
  const warnings: string[] = []
  let memory = ''
  const model = await loadModel(await open(), {
    ...{ device, signal },
    // Exact products: the same text on every device.
    accuracy: 'exact',
    onWarning: (message) => warnings.push(message),
    onProgress: (event) => {
      if (event.stage === 'ready' && event.memory) memory = `${byteSize(event.memory.heapBytes)} of memory`
      onProgress(event)
    },
  })
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

/** Lets the model answer a question after earlier turns; every value is a piece of the text. */
export async function* answer(
  { model, converses }: Chat,
  turns: readonly Turn[],
  question: string,
  settings: Settings,
  signal: AbortSignal,
): AsyncGenerator<string, GenerationResult> {
  const { system, temperature, topP, maxTokens, seed } = settings
  const earlier = turns.flatMap(
    (turn) =>
      [
        { role: 'user', content: turn.question },
        { role: 'assistant', content: turn.answer },
      ] as const,
  )
  const messages = [
    ...(system.trim() === '' ? [] : [{ role: 'system', content: system } as const]),
    ...earlier,
    { role: 'user', content: question } as const,
  ]
  const generation = model.generate(converses ? { messages } : { prompt: question }, {
    maxNewTokens: maxTokens,
    temperature,
    topP,
    seed,
    signal,
  })
  for await (const { text } of generation) yield text
  return await generation.result
}
