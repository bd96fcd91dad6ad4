export {
  type EvaluatedModel,
  type EvaluateOptions,
  type EvaluateProgress,
  type Evaluation,
  evaluate,
} from './evaluate.ts'
export { openScorer, type Scorer, type Scores } from './scores.ts'
export { residualStreams, type StreamOptions } from './streams.ts'
export { cutWindows, type Windows } from './windows.ts'
