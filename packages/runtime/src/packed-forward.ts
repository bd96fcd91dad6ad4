/**
 * A quantized store as a forward pass block by block: the same structure as for a float checkpoint, with each block's
 * weights read by the engine from the store.
 * @module
 */

import {
  arrangedAs,
  attentionFor,
  byForm,
  checkIds,
  emitEmbedding,
  emitForwardBlock,
  expertTokensOn,
  type ForwardModel,
  forwardFeeds,
  perBlock,
} from '@awq/models'
import type { Graph } from '@awq/onnx'
import { type Engine, type Session, tensor } from '@awq/ort'
import { type BindingSource, blockBinding, outerBinding } from './bindings.ts'
import { openLinked, type WeightFiles, type WeightLinks } from './weight-links.ts'

/** The forward model of a store. One block's session is alive at a time. */
export const packedForward = (engine: Engine, source: BindingSource, files: WeightFiles): ForwardModel => {
  const { description } = source
  const { config } = description
  const experts = expertTokensOn(engine.device)
  const feedsFor = perBlock((block) => byForm((attention) => forwardFeeds(block, attention)))
  const open = (build: (links: WeightLinks) => Graph, options?: { readonly signal?: AbortSignal | undefined }) =>
    openLinked(engine, files, build, options)
  let embedding: Promise<Session> | undefined
  return {
    description,
    engine,
    async embed(ids, batch) {
      checkIds(ids, config.vocabSize)
      embedding ??= open((links) => {
        const binding = outerBinding(source, links)
        return emitEmbedding(description, binding, (graph) =>
          binding.embed(graph, graph.input('input_ids', 'int64', ['batch', 'sequence'])),
        )
      })
      const session = await embedding
      const feed = tensor('int64', [batch, ids.length / batch], BigInt64Array.from(ids, BigInt))
      return (await session.run({ input_ids: feed })).hidden!
    },
    async openBlock(layer, options) {
      const block = description.blocks[layer]!
      const sessionOf = byForm((attention) =>
        open((links) => emitForwardBlock(block, blockBinding(source, links, layer), { attention, experts }), options),
      )
      const opened = new Set<Promise<Session>>()
      return {
        async run(hidden, runOptions) {
          const attention = attentionFor(engine.device, block, hidden)
          const session = sessionOf(attention)
          opened.add(session)
          const results = await (await session).run({ hidden, ...feedsFor(block)(attention)(hidden) }, runOptions)
          return arrangedAs(results.hidden_out!, hidden)
        },
        async [Symbol.asyncDispose]() {
          for (const session of opened) await (await session.catch(() => undefined))?.dispose()
        },
      }
    },
    async openOuter(build) {
      return { session: await open((links) => build(outerBinding(source, links))), feeds: {} }
    },
    async [Symbol.asyncDispose]() {
      await (await embedding)?.dispose()
    },
  }
}
