import { expect, it } from 'vitest'
import { fakeConversation, hashedLogits } from '../fixtures/fake-model.ts'
import { createConversationExecutor } from './conversation-executor.ts'

const vocabSize = 24
const next = hashedLogits(3, vocabSize, 2)
const create = () => fakeConversation(next, { open: 0, created: 0, seen: [] })

it.each([1, 2, 3, 6])('gives the logits of the last %i of six tokens', async (rows) => {
  const executor = createConversationExecutor({ slots: 2, cacheTokens: 100, chunk: 8, vocabSize, create })
  const ids = [3, 1, 4, 1, 5, 9]
  const logits = await executor.append(1, ids, rows)
  expect(logits.length).toBe(rows * vocabSize)
  const wanted = Array.from({ length: rows }, (_, row) => [...next(ids.slice(0, ids.length - rows + row + 1))])
  expect([...logits]).toEqual(wanted.flat())
})
