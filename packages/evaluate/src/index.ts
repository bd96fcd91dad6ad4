export {
  type EvaluateOptions,
  type EvaluateProgress,
  type Evaluation,
  evaluate,
} from './evaluate.ts'
export type { EvaluatedModel } from './open-models.ts'
export {
  type EvaluatePromptsOptions,
  evaluatePrompts,
  type PromptEvaluation,
} from './prompts.ts'
export { openScorer, type Scorer, type Scores } from './scores.ts'
export { residualStreams, type StreamOptions } from './streams.ts'
export {
  type EvaluateTaskOptions,
  evaluateTask,
  type TaskEvaluation,
  type TaskProgress,
} from './tasks/evaluate-task.ts'
export { readTaskItems, type TaskItemOptions } from './tasks/items.ts'
export { agreementOf, type ItemResult, scoresOf, type TaskAgreement, type TaskScores } from './tasks/results.ts'
export { type RunTaskOptions, runTask, type TaskModel } from './tasks/run-task.ts'
export { findTask, type TaskName, taskNames, tasks } from './tasks/table.ts'
export type {
  CheckCode,
  CodeOutcome,
  CodeProblem,
  GenerationItem,
  Judgement,
  ScoreTools,
  TargetItem,
  Task,
  TaskItem,
  TaskSettings,
} from './tasks/task.ts'
export { cutWindows, type Windows } from './windows.ts'
