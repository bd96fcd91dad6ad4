/**
 * What long calls report while they run.
 * @module
 */
import type { FoldedGroup } from './block-state.ts'
import type { PlannedModel } from './plan-model.ts'

/** Stages of a quantization, in order; `compare` evaluates first and last. `inspect` verifies. */
export type Stage =
  | 'download'
  | 'tokenize'
  | 'see'
  | 'plan'
  | 'embed'
  | 'blocks'
  | 'tables'
  | 'evaluate'
  | 'export'
  | 'verify'

/** An event of `quantize` or `compare`; programs with stages of their own name them by the parameter. */
export type ProgressEvent<Name extends string = Stage> =
  | { readonly type: 'stage'; readonly stage: Name; readonly message?: string }
  | {
      readonly type: 'progress'
      readonly stage: Name
      readonly completed: number
      readonly total: number
      readonly message?: string
    }
  | { readonly type: 'warning'; readonly message: string }
  /** The plan for a target size. */
  | ({ readonly type: 'plan' } & Omit<PlannedModel, 'plan'>)
  | {
      readonly type: 'layer'
      /** From 0. */
      readonly layer: number
      readonly layers: number
      readonly groups: readonly FoldedGroup[]
      /** Seconds this layer took, and seconds until the last one is done at this pace. */
      readonly seconds: number
      readonly etaSeconds: number
    }

/** Receives progress events; must not throw. */
export type OnProgress = (event: ProgressEvent) => void
