/**
 * Rotary tables that depend on how long the whole sequence is: keys in a cache that were turned by one table are of no use
 * once the sequence has grown into another's range.
 * @module
 */
import { type Positioned, ropeRegime } from '@awq/models'

/** Which tables a sequence of so many tokens has; empty for models whose tables are always the same. */
export const regimeOf = ({ sequence }: Positioned, length: number): string =>
  sequence.ropes
    .filter(({ rope }) => rope.scaling.type === 'longrope' || rope.scaling.type === 'dynamic')
    .map(({ rope }) => ropeRegime(rope.scaling, length))
    .join()
