/**
 * What the events of a quantization say so far: a pure function, drawn by `running.tsx`.
 * @module
 */
import type { ProgressEvent, Stage } from '@awq/core'

/** What the search found in one layer. */
export interface LayerLoss {
  readonly layer: number
  /** Error of the outputs by plain rounding, and with the scales that were found; 0 for a method that searches none. */
  readonly plain: number
  readonly scaled: number
}

/** A stage that has begun. */
export interface StageState {
  readonly stage: Stage
  /** From 0 to 1; undefined while nothing is counted. */
  readonly share?: number
  readonly note?: string
}

export interface RunState {
  readonly stages: readonly StageState[]
  readonly layers: number
  readonly losses: readonly LayerLoss[]
  readonly etaSeconds: number | undefined
  readonly warnings: readonly string[]
}

export const noEvents: RunState = { stages: [], layers: 0, losses: [], etaSeconds: undefined, warnings: [] }

const atStage = (state: RunState, change: StageState): RunState => {
  const known = state.stages.some(({ stage }) => stage === change.stage)
  const stages = known
    ? state.stages.map((stage) => (stage.stage === change.stage ? { ...stage, ...change } : stage))
    : [...state.stages, change]
  return { ...state, stages }
}

const sum = (values: readonly (number | undefined)[]): number =>
  values.reduce<number>((total, value) => total + (value ?? 0), 0)

/** The state after one more event. */
export const withEvent = (state: RunState, event: ProgressEvent): RunState => {
  switch (event.type) {
    case 'stage':
      return atStage(state, { stage: event.stage, ...(event.message ? { note: event.message } : {}) })
    case 'progress': {
      const { stage, completed, total, message } = event
      const note = message ?? `${completed} of ${total}`
      // Within a layer it is batches of text that are counted; the bar is that of the layers.
      return atStage(state, stage === 'blocks' ? { stage, note } : { stage, share: completed / total, note })
    }
    case 'layer': {
      const { layer, layers, groups, etaSeconds } = event
      const note = `${layer + 1} of ${layers}`
      const plain = sum(groups.map(({ identityLoss }) => identityLoss))
      const scaled = sum(groups.map(({ loss }) => loss))
      const losses = [...state.losses, { layer, plain, scaled }]
      return { ...atStage(state, { stage: 'blocks', share: (layer + 1) / layers, note }), layers, losses, etaSeconds }
    }
    case 'warning':
      return { ...state, warnings: [...state.warnings, event.message] }
    case 'plan':
      return state
  }
}
