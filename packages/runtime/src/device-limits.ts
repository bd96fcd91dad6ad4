/**
 * What a device has no buffer for, told before anything is downloaded for it.
 * @module
 */
import type { ActivationType, ModelDescription } from '@awq/models'
import { type Graph, type OnnxType, onnxTypes } from '@awq/onnx'
import type { DeviceLimits } from '@awq/ort'
import { AwqError } from '@awq/tensor'

/** What a device lacks that a model needs: another device may have it. */
export class DeviceLacks extends AwqError {
  constructor(problem: string, cause?: unknown) {
    super('UNSUPPORTED', problem, { cause })
  }
}

/** A constant of a graph: a tensor of a file, or what ONNX Runtime makes of some when it loads the graph. */
interface Constant {
  /** The tensor that it is, or the first of those that it is made of. */
  readonly name: string
  readonly dtype: OnnxType
  readonly elements: number
}

const mega = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`

/** The constants of a graph, those that are another type or the sum of several included. */
const constantsOf = (graph: Graph): Constant[] => {
  const known = new Map<string, Constant>()
  for (const { value } of graph.externals) {
    const elements = (value.shape as readonly number[]).reduce((product, dim) => product * dim, 1)
    known.set(value.name, { name: value.name, dtype: value.dtype, elements })
  }
  for (const { op, inputs, outputs, attributes } of graph.nodes) {
    const given = inputs.map((input) => known.get(input))
    const [first] = given
    if (!first) continue
    if (op === 'Cast') known.set(outputs[0]!, { ...first, dtype: attributes.to as OnnxType })
    else if (op === 'Reshape' || op === 'Transpose') known.set(outputs[0]!, first)
    else if (op === 'Concat' && given.every((part) => part !== undefined)) {
      known.set(outputs[0]!, { ...first, elements: given.reduce((sum, { elements }) => sum + elements, 0) })
    }
  }
  return [...known.values()]
}

/**
 * Checks that a device has a buffer for every constant of a graph; without limits there is nothing to check.
 * @throws AwqError UNSUPPORTED naming the largest tensor that it has none for
 */
export const checkLimits = (graph: Graph, limits: DeviceLimits | undefined): void => {
  if (!limits) return
  const most = Math.min(limits.bufferBytes, limits.bindingBytes)
  const bytesOf = ({ dtype, elements }: Constant): number => elements * onnxTypes[dtype].width
  const largest = constantsOf(graph).reduce<Constant | undefined>(
    (worst, constant) => (worst && bytesOf(worst) >= bytesOf(constant) ? worst : constant),
    undefined,
  )
  if (!largest || bytesOf(largest) <= most) return
  throw new DeviceLacks(
    `${largest.name} takes ${mega(bytesOf(largest))} as ${largest.dtype}, but a buffer of this device has at most ` +
      `${mega(most)}. Use device 'cpu', or a model that is quantized further or smaller.`,
  )
}

/** Tokens whose keys (or values) of one layer fit into a buffer; Infinity without limits. */
export const contextInLimits = (
  { blocks }: ModelDescription,
  dtype: ActivationType,
  limits: DeviceLimits | undefined,
): number => {
  if (!limits) return Number.POSITIVE_INFINITY
  const widest = Math.max(
    ...blocks.map(({ attention: { kvHeads, headDim, valueDim = headDim } }) => kvHeads * Math.max(headDim, valueDim)),
  )
  return Math.floor(Math.min(limits.bufferBytes, limits.bindingBytes) / (widest * onnxTypes[dtype].width))
}
