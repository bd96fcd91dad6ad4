import type { QuantSpec } from '@awq/quantize'
import { AwqError } from '@awq/tensor'
import type { GridRule } from './fake-quantize.ts'

/** How far a group's range may shrink: 1.00, 0.95 ... 0.45. */
export const CLIP_RATIOS: readonly number[] = Array.from({ length: 12 }, (_, index) => (20 - index) / 20)

/** The ratios of AutoAWQ 0.2.9 (`_compute_best_clip`, grid 20, shrink up to a half): 1.00, 0.95 ... 0.55. */
export const AUTOAWQ_CLIP_RATIOS: readonly number[] = Array.from({ length: 10 }, (_, index) => 1 - index / 20)

/** How ranges shrink in a clip search. */
export interface ClipOptions {
  /** Ratios to try beside 1; default {@link CLIP_RATIOS}. */
  readonly ratios?: readonly number[] | undefined
  /**
   * `together` (default): both ends of a range by one ratio. `independent`: then, in turns, each end by a ratio of its own
   * while the other stands, which chooses scale and zero point apart. Symmetric grids have one end only.
   */
  readonly ends?: 'together' | 'independent' | undefined
  /**
   * `ends` (default): the ends of a range shrink. `symmetric`: weights are clamped to plus and minus a share of their
   * group's largest magnitude, and the range is what is left of it, as in llm-awq and AutoAWQ.
   */
  readonly clamp?: 'ends' | 'symmetric' | undefined
  /** How ranges and grids come about while searching, where it is not as they are stored. */
  readonly rule?: GridRule | undefined
}

/** Some ratios that one or both ends try. */
export interface ClipStage {
  readonly ends: { readonly low: boolean; readonly high: boolean }
  readonly ratios: readonly number[]
}

/** How often the ends take turns. */
const TURNS = 2

/**
 * The stages of a clip search, the first of which begins with ratio 1.
 * @throws AwqError INVALID_ARGUMENT for unknown ends or clamps, for a ratio that is not in (0, 1], and for independent ends of a symmetric clamp.
 */
export function clipStages(options: ClipOptions, spec: QuantSpec, name: string): ClipStage[] {
  const { ends = 'together', clamp = 'ends' } = options
  if (!['together', 'independent'].includes(ends) || !['ends', 'symmetric'].includes(clamp))
    throw new AwqError(
      'INVALID_ARGUMENT',
      `${name}: clip ends are together or independent, and a clamp ends or symmetric, not "${ends}" and "${clamp}"`,
    )
  const wrong = options.ratios?.find((ratio) => !(ratio > 0 && ratio <= 1))
  if (wrong !== undefined)
    throw new AwqError('INVALID_ARGUMENT', `${name}: a clip ratio must be in (0, 1], not ${wrong}`)
  if (ends === 'independent' && clamp === 'symmetric')
    throw new AwqError('INVALID_ARGUMENT', `${name}: a symmetric clamp has no independent ends`)
  const ratios = [1, ...(options.ratios ?? CLIP_RATIOS).filter((ratio) => ratio !== 1)]
  const both = { ends: { low: true, high: true }, ratios }
  if (ends === 'together' || spec.symmetric) return [both]
  const turn = [
    { ends: { low: true, high: false }, ratios },
    { ends: { low: false, high: true }, ratios },
  ]
  return [both, ...Array.from({ length: TURNS }, () => turn).flat()]
}
