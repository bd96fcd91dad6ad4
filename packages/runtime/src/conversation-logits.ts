import type { Conversation } from './token-model.ts'

/**
 * Logits after the last id, or after every id with `all`: arrays `[vocab]`, which are views of one. The ids are appended at
 * once, since rotary tables may depend on how long the whole sequence is. The conversation is empty before and disposed
 * afterwards.
 */
export const conversationLogits = async (
  conversation: Conversation,
  ids: readonly number[],
  vocabSize: number,
  { all = false, signal }: { readonly all?: boolean | undefined; readonly signal?: AbortSignal | undefined },
): Promise<Float32Array[]> => {
  try {
    const logits = await conversation.extend(ids, { signal, logits: all ? 'all' : 'last' })
    const rows = Array.from({ length: all ? ids.length : 1 }, (_, row) => row * vocabSize)
    return rows.map((start) => logits.subarray(start, start + vocabSize))
  } finally {
    conversation.dispose()
  }
}
