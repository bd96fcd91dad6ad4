import { alphaStrategy } from './alpha-strategy.ts'
import { channelStrategy } from './channel-strategy.ts'
import { duoStrategy } from './duo-strategy.ts'
import { gptqStrategy } from './gptq-strategy.ts'
import { gradientStrategy } from './gradient-strategy.ts'
import type { ScaleStrategy } from './strategy.ts'

/** The scale strategies that have a name. */
export const scaleStrategies: Readonly<Record<string, () => ScaleStrategy>> = {
  alpha: alphaStrategy,
  duo: duoStrategy,
  channel: channelStrategy,
  gradient: gradientStrategy,
  gptq: gptqStrategy,
}
