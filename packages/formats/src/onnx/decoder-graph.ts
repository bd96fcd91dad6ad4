/**
 * The graph of a decoder over weights that lie beside it.
 * @module
 */
import {
  type ActivationType,
  type AttentionForm,
  type ExpertTokens,
  emitDecoder,
  fusedIsPossible,
  type ModelDescription,
} from '@awq/models'
import type { Graph } from '@awq/onnx'
import {
  type Accuracy,
  type BindingSource,
  blockBinding,
  outerBinding,
  type WeightLinks,
  type WeightTable,
} from '@awq/runtime'
import { type ExportedPort, exportedPort } from './exported-port.ts'

/** What a graph is for. */
export interface GraphRequest {
  readonly description: ModelDescription
  readonly table: WeightTable
  /** The name of a file of weights, from that which the table has. */
  readonly locate?: ((file: string) => string) | undefined
  /** Type of activations and cache. */
  readonly dtype: ActivationType
  readonly port: ExportedPort
  readonly experts: ExpertTokens
  /** `exportedAttention` by default. */
  readonly attention?: AttentionForm | undefined
  /** Products round activations to 8 bits block by block (`fast`, the default), as our own runtime's do, or not. */
  readonly accuracy?: Accuracy | undefined
}

/** GroupQueryAttention wherever it can say a model's attention: all of ONNX Runtime's devices have fast kernels of it. */
export const exportedAttention = (description: ModelDescription): AttentionForm =>
  fusedIsPossible(description) ? 'fused' : 'plain'

/**
 * The graph. In float32 it is for CPUs first, and computes bit for bit what our own runtime does there: score rows are made
 * whole, and `fast` products round activations to 8 bits block by block (accuracy level 4).
 */
export const emitExported = (request: GraphRequest): Graph => {
  const { description, table, locate, dtype, port, experts, accuracy = 'fast' } = request
  const links: WeightLinks = {
    link: (span) => ({ ...span, file: locate?.(span.file) ?? span.file }),
    sessionOptions: async () => ({}),
  }
  const source: BindingSource = { description, table, dtype, accuracy }
  const binding = {
    outer: outerBinding(source, links),
    block: (layer: number) => blockBinding(source, links, layer),
  }
  const attention = request.attention ?? exportedAttention(description)
  const wholeRows = dtype === 'float32'
  return emitDecoder(description, binding, { attention, dtype, wholeRows, experts, port: exportedPort(port) })
}
