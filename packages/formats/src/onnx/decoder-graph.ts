/**
 * The graph of a decoder over weights that lie beside it.
 * @module
 */
import {
  type ActivationType,
  type AttentionForm,
  type ExpertTokens,
  emitDecoder,
  emitEmbed,
  emitVision,
  fusedIsPossible,
  type ModelDescription,
} from '@awq/models'
import { Graph, scalar } from '@awq/onnx'
import {
  type Accuracy,
  type BindingSource,
  blockBinding,
  outerBinding,
  visionBinding,
  type WeightLinks,
  type WeightTable,
} from '@awq/runtime'
import { withMark } from './embedded-tokens.ts'
import { type ExportedPort, exportedPort } from './exported-port.ts'
import { seeingPort } from './seeing-port.ts'

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

const sourceOf = (request: GraphRequest): { readonly source: BindingSource; readonly links: WeightLinks } => {
  const { description, table, locate, dtype, accuracy = 'fast' } = request
  return {
    links: {
      link: (span) => ({ ...span, file: locate?.(span.file) ?? span.file }),
      sessionOptions: async () => ({}),
    },
    source: { description, table, dtype, accuracy },
  }
}

/**
 * The graph. In float32 it is for CPUs first, and computes bit for bit what our own runtime does there: score rows are made
 * whole, and `fast` products round activations to 8 bits block by block (accuracy level 4).
 */
export const emitExported = (request: GraphRequest): Graph => {
  const { description, dtype, port, experts } = request
  const { source, links } = sourceOf(request)
  const binding = {
    outer: outerBinding(source, links),
    block: (layer: number) => blockBinding(source, links, layer),
  }
  // What an image's tokens see is said by masks alone.
  const attention = port.embeds ? 'plain' : (request.attention ?? exportedAttention(description))
  const wholeRows = dtype === 'float32'
  return emitDecoder(description, binding, { attention, dtype, wholeRows, experts, port: exportedPort(port) })
}

/** `input_ids` int64 `[batch_size, sequence_length]` to `inputs_embeds`, as the port with `embeds` takes them. */
export const emitExportedEmbedding = (request: Omit<GraphRequest, 'port' | 'experts'>): Graph => {
  const { description, dtype } = request
  const { source, links } = sourceOf({ ...request, port: { padding: 'left', logits: 'all' }, experts: 'spare' })
  const binding = outerBinding(source, links)
  const graph = new Graph(`${description.config.modelType}-embedding`)
  const ids = graph.input('input_ids', 'int64', ['batch_size', 'sequence_length'])
  // The placeholders of images may be numbered past the table; their rows are put in their place.
  const within = graph.add('Min', [ids, scalar(graph, 'int64', description.config.vocabSize - 1)])
  const sequence = { needs: description.sequence, ropes: [], masks: [] }
  const rows = emitEmbed(graph, description, binding, binding.embed(graph, within), sequence)
  const typed = dtype === 'float32' ? rows : graph.add('Cast', [rows], { to: 'float32' })
  graph.output('inputs_embeds', withMark(graph, typed, description, 0))
  return graph
}

/** Tower and projector. @param tile pixels of a tile, where they are others than those of the training */
export const emitExportedVision = (
  request: Omit<GraphRequest, 'port' | 'experts'>,
  tile: readonly [height: number, width: number] | undefined,
): Graph => {
  const { description, dtype } = request
  const { source, links } = sourceOf({ ...request, port: { padding: 'left', logits: 'all' }, experts: 'spare' })
  return emitVision(description.vision!, visionBinding(source, links), { dtype, tile, port: seeingPort(description) })
}
