/**
 * What follows from a family's table of how it sees: its parameters, the sizes of what goes in and comes out.
 * @module
 */
import { checkSites } from '../check-steps.ts'
import { type LinearSpec, linearsOf } from '../linears.ts'
import { type ParameterSpec, type Step, stepParameters } from '../steps.ts'
import type { VisionTable } from './table.ts'

/** A table with what follows from it. */
export interface VisionDescription extends VisionTable {
  /** Width of a row of features: that of the language model's residual stream. */
  readonly rowSize: number
  /** By full names, in the shapes that checkpoints hold them in. */
  readonly parameters: readonly ParameterSpec[]
  /** Its linears, by full names; the patches' is not among them. */
  readonly linears: readonly LinearSpec[]
}

/** Length of a patch's values. */
export const patchValues = ({ pixels }: VisionTable['tower']): number =>
  pixels.channels * pixels.patch ** 2 * (pixels.kind === 'patches' ? pixels.frames : 1)

/** The kernel of the convolution as which checkpoints hold the linear over patches. */
export const patchKernel = ({ pixels, hiddenSize }: VisionTable['tower']): number[] => {
  const { channels, patch } = pixels
  return [hiddenSize, channels, ...(pixels.kind === 'patches' ? [pixels.frames] : []), patch, patch]
}

/**
 * Describes how a model sees.
 * @throws AwqError `CONFIG` when the table contradicts itself
 */
export const describeVision = (table: VisionTable, rowSize: number): VisionDescription => {
  const { tower, projector, anyResolution } = table
  const lists: (readonly Step[])[] = [
    tower.before,
    ...tower.blocks.map(({ steps }) => steps),
    tower.after,
    projector.before,
    projector.after,
  ]
  for (const steps of lists) checkSites('vision', steps)
  const { patches, classToken, positions, hiddenSize } = tower
  return {
    ...table,
    rowSize,
    linears: lists.flatMap(linearsOf),
    parameters: [
      { name: `${patches.weight}.weight`, shape: patchKernel(tower) },
      ...(patches.bias ? [{ name: `${patches.weight}.bias`, shape: [hiddenSize] }] : []),
      ...(classToken ? [{ name: classToken, shape: [hiddenSize] }] : []),
      ...(positions ? [{ name: positions.table, shape: [positions.rows, hiddenSize] }] : []),
      ...lists.flatMap((steps) => steps.flatMap(stepParameters)),
      ...(anyResolution ? [{ name: anyResolution.newline, shape: [rowSize] }] : []),
    ],
  }
}
