export {
  type AccumulatorOptions,
  type AccumulatorStep,
  createAccumulator,
  type Site,
  type StatsAccumulator,
} from './accumulator.ts'
export {
  type ActivationStream,
  type BlockRunner,
  type BlockRunOptions,
  emptyStream,
  openBlockRunner,
  sequencesPerRun,
  TOKENS_PER_RUN,
} from './block-runner.ts'
export { collectStats } from './collect.ts'
export { type Drift, type DriftProblem, type DriftWalk, openDrift } from './drift.ts'
export { observeStats } from './observe.ts'
export { type ActivationStats, checkStats, mergeStats, SAMPLE_ROWS, scaleStats } from './stats.ts'
