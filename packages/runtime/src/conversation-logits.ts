import { prefillChunk } from './prefill-chunk.ts'
import type { Conversation } from './token-model.ts'

/**
 * Logits after the last id, or after every id with `all`, as arrays `[vocab]` of their own. The conversation is empty
 * before and disposed afterwards.
 */
export const conversationLogits = async (
  conversation: Conversation,
  ids: readonly number[],
  vocabSize: number,
  { all = false, signal }: { readonly all?: boolean | undefined; readonly signal?: AbortSignal | undefined },
): Promise<Float32Array[]> => {
  const rows: Float32Array[] = []
  try {
    if (!all) return [(await conversation.extend(ids, { signal })).slice()]
    for (let at = 0; at < ids.length; at += prefillChunk) {
      const chunk = await conversation.extend(ids.slice(at, at + prefillChunk), { signal, logits: 'all' })
      for (let row = 0; row < chunk.length; row += vocabSize) rows.push(chunk.slice(row, row + vocabSize))
    }
    return rows
  } finally {
    conversation.dispose()
  }
}
