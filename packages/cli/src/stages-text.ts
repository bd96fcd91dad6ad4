import type { StageSeconds } from '@awq/core'
import { formatSeconds } from './format.ts'

/** Shares below this are not worth a word. */
const leastShare = 0.01

/** `statistics 2m 05s, scale 21 s, clip 11 s`: where the time went, the longest first. */
export const stagesText = (stages: readonly StageSeconds[]): string => {
  const total = stages.reduce((sum, { seconds }) => sum + seconds, 0)
  return stages
    .filter(({ seconds }) => seconds >= leastShare * total)
    .sort((a, b) => b.seconds - a.seconds)
    .map(({ stage, seconds }) => `${stage} ${formatSeconds(seconds)}`)
    .join(', ')
}
