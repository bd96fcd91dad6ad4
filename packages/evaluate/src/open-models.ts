/**
 * The models of an evaluation: opened when they are folders, on an engine that is made where none is given.
 * @module
 */
import { createEngine, type Engine } from '@awq/ort'
import { type Accuracy, type OpenedModel, openModel } from '@awq/runtime'
import { AwqError, type Folder } from '@awq/tensor'

/** A model to evaluate: a folder (float checkpoint or quantized store), or what is already open. */
export type EvaluatedModel = Folder | OpenedModel | { readonly opened: OpenedModel }

/** How models are opened. */
export interface OpenModelsOptions {
  /** Needed for folders; made for the CPU, and disposed, when absent. */
  readonly engine?: Engine | undefined
  /** For folders: `exact` (the default) or `fast`. */
  readonly accuracy?: Accuracy | undefined
  readonly signal?: AbortSignal | undefined
}

/** Refuses to compare models whose predictions are of other tokens. @throws AwqError UNSUPPORTED */
export const checkVocabulary = (model: OpenedModel, against: OpenedModel | undefined): void => {
  const a = model.description.config.vocabSize
  const b = against?.description.config.vocabSize
  if (b !== undefined && a !== b) {
    throw new AwqError(
      'UNSUPPORTED',
      `${model.folder.name} has a vocabulary of ${a} tokens and ${against?.folder.name} one of ${b}: their predictions can not be compared.`,
    )
  }
}

/** Things to dispose at the end, last first. */
export interface Cleanup extends AsyncDisposable {
  use<T extends AsyncDisposable>(item: T): T
}

/** Nothing to dispose yet. */
export const createCleanup = (): Cleanup => {
  const items: AsyncDisposable[] = []
  return {
    use(item) {
      items.push(item)
      return item
    },
    async [Symbol.asyncDispose]() {
      for (const item of items.splice(0).reverse()) await item[Symbol.asyncDispose]()
    },
  }
}

/** The engine given, or one that is made when first asked for. */
export const lazyEngine = (options: OpenModelsOptions, cleanup: Cleanup): (() => Promise<Engine>) => {
  let made: Promise<Engine> | undefined
  return () => {
    if (options.engine) return Promise.resolve(options.engine)
    made ??= createEngine().then((engine) => {
      cleanup.use({ [Symbol.asyncDispose]: async () => engine.dispose() })
      return engine
    })
    return made
  }
}

/** A model, opened where it is not. */
export const open = async (
  model: EvaluatedModel,
  engine: () => Promise<Engine>,
  options: OpenModelsOptions,
  cleanup: Cleanup,
): Promise<OpenedModel> => {
  if ('opened' in model) return model.opened
  if ('forward' in model) return model
  const { accuracy = 'exact', signal } = options
  return cleanup.use(await openModel(model, await engine(), { accuracy, signal }))
}
