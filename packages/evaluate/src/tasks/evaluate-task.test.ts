import { fileURLToPath } from 'node:url'
import { forwardLogits } from '@awq/models'
import { createEngine } from '@awq/ort'
import { loadModel } from '@awq/runtime'
import { openFolder } from '@awq/tensor/node'
import { describe, expect, it, vi } from 'vitest'
import { evaluateTask } from './evaluate-task.ts'
import { readTaskItems } from './items.ts'
import { agreementOf, type ItemResult, scoresOf } from './results.ts'
import { findTask, type TaskName } from './table.ts'
import { batchTargets, encodeTarget } from './target-ids.ts'
import type { CheckCode, Task } from './task.ts'

const folder = await openFolder(fileURLToPath(new URL('../../../../examples/models/stories260k', import.meta.url)))
const engine = await createEngine({ threads: 1 })
const records = (...values: object[]) => values.map((value, i) => ({ value, where: `f line ${i + 1}` }))
const passages = records(
  { text: 'Once upon a time, there was a little girl named Lily' },
  { text: 'Tim had a big red ball. He loved to play with his ball' },
  { text: 'The sun is hot. The sun is very very hot and the sky is blue' },
  { text: 'One day, a cat' },
)
const problem = {
  task_id: 'T/0',
  prompt: 'def one():\n    """ One. """\n',
  entry_point: 'one',
  test: 'def check(candidate):\n    assert candidate() == 1\n',
}
const code = records(problem)

describe('lambada', () => {
  it('predicts what the definition does, item by item', async () => {
    await using model = await loadModel(folder, { engine })
    await using forward = model.opened.forward()
    const size = model.description.config.vocabSize
    let nll = 0
    const answers: string[] = []
    const right: boolean[] = []
    for (const { value } of passages) {
      const { text } = value as { text: string }
      const at = text.lastIndexOf(' ')
      const ids = model.encode({ prompt: text })
      const start = model.encode({ prompt: text.slice(0, at) }).length
      const data = (await forwardLogits(forward, Int32Array.from(ids), { all: true })).data as Float32Array
      const best: number[] = []
      for (let i = start; i < ids.length; i++) {
        const row = data.slice((i - 1) * size, i * size)
        const largest = Math.max(...row)
        nll += largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0)) - row[ids[i]!]!
        best.push(row.indexOf(largest))
      }
      answers.push(model.tokenizer.decode(best))
      right.push(best.every((id, i) => id === ids[start + i]))
    }
    const onProgress = vi.fn()
    const result = await evaluateTask({
      model: folder,
      against: model,
      engine,
      task: 'lambada',
      records: passages,
      onProgress,
    })
    expect(result.items.map(({ answer }) => answer)).toEqual(answers)
    expect(result.items.map(({ scores }) => scores.accuracy)).toEqual(right)
    expect(new Set(right)).toEqual(new Set([true, false]))
    expect(result.perplexity).toBeCloseTo(Math.exp(nll / passages.length), 2)
    expect(result).toMatchObject({ task: 'lambada', count: 4, agreement: 1, sameTokens: 1, sharedTokens: 1 })
    expect(result.against).toMatchObject({ accuracy: result.accuracy })
    expect(onProgress.mock.calls.at(-1)).toEqual([{ model: 'against', done: 4, total: 4 }])
    const done = onProgress.mock.calls.flatMap(([event]) => (event.model === 'model' ? [event.done] : []))
    expect(done.length).toBeGreaterThan(1)
    expect(done).toEqual([...done].sort())
    expect(done.at(-1)).toBe(4)
  })

  it('cuts the beginning of a text that is longer than the context', async () => {
    await using model = await loadModel(folder, { engine })
    const item = { kind: 'target', id: 'x', context: 'one two '.repeat(400), target: ' three' } as const
    const { ids, start } = encodeTarget(model.tokenizer, item, 100)
    expect(ids.length).toBe(101)
    expect(model.tokenizer.decode(ids.subarray(start)).trim()).toBe('three')
    const long = records({ text: item.context + item.target })
    expect((await evaluateTask({ model, task: 'lambada', records: long })).count).toBe(1)
  })

  it('is refused shots and chat', async () => {
    const given = { records: passages }
    await expect(readTaskItems('lambada', { ...given, chat: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(readTaskItems('lambada', { ...given, shots: 1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('batchTargets', () => {
  it('sorts by length, holds the bound, and has each item once', () => {
    const batches = batchTargets([5, 2, 9, 2, 4, 30], 10)
    expect(batches).toEqual([
      { items: [1, 3], length: 2 },
      { items: [4, 0], length: 5 },
      { items: [2], length: 9 },
      { items: [5], length: 30 },
    ])
  })
})

describe('evaluateTask', () => {
  it('generates, judges by the code checker, and compares', async () => {
    const checkCode = vi.fn<CheckCode>(async () => ({ status: 'failed', message: 'AssertionError' }))
    const given = {
      model: folder,
      against: folder,
      engine,
      task: 'humaneval' as const,
      records: code,
      maxNewTokens: 12,
    }
    const result = await evaluateTask({ ...given, checkCode })
    const [item] = result.items
    expect(item).toMatchObject({ id: 'T/0', scores: { 'pass@1': false }, message: 'AssertionError' })
    expect(item?.output).toBe(item?.answer)
    expect(checkCode).toHaveBeenCalledTimes(2)
    expect(checkCode.mock.calls[0]?.[0]).toEqual({
      prompt: problem.prompt,
      completion: item?.output,
      test: problem.test,
      entryPoint: 'one',
    })
    expect(result).toMatchObject({ accuracy: 0, agreement: 1, sameTokens: 1 })
    // Nothing is executed, and nothing judged, unless asked for.
    expect((await evaluateTask(given)).accuracy).toBeUndefined()
  })

  it('keeps the cache of what prompts share', async () => {
    await using model = await loadModel(folder, { engine })
    const reused: number[] = []
    const watched = {
      ...model,
      generate(...given: Parameters<typeof model.generate>) {
        const generation = model.generate(...given)
        generation.result.then(({ reusedTokens }) => reused.push(reusedTokens))
        return generation
      },
    }
    const questions = records({ question: 'A?', answer: '#### 1' }, { question: 'B?', answer: '#### 2' })
    await evaluateTask({ model: watched, task: 'gsm8k', records: questions, shots: 1, maxNewTokens: 3 })
    expect(reused[0]).toBe(0)
    expect(reused[1]).toBeGreaterThan(50)
  })

  it('does a task of one’s own', async () => {
    const task: Task = {
      name: 'again',
      data: 'anything',
      shots: 0,
      maxNewTokens: 4,
      scores: ['short'],
      prepare: () => (record) => ({
        kind: 'generation',
        id: record.where,
        prompt: String(record.value),
        stop: [],
        answer: (output) => output,
        score: async (output) => ({ scores: { short: output.length < 100 } }),
      }),
    }
    const given = { model: folder, engine, task, records: [{ value: 'Once upon', where: 'a' }] }
    expect(await evaluateTask(given)).toMatchObject({ task: 'again', accuracy: 1, count: 1 })
  })

  it('refuses what it can not do', async () => {
    const given = { model: folder, engine, records: passages }
    const task = 'mmlu' as TaskName
    await expect(evaluateTask({ ...given, task })).rejects.toThrow(/lambada, gsm8k, humaneval/)
    expect(() => findTask('constructor' as TaskName)).toThrow(/task must be/)
    await expect(evaluateTask({ ...given, task: 'lambada', records: [] })).rejects.toThrow(/no item of lambada/)
    await expect(evaluateTask({ ...given, task: 'lambada', limit: 0 })).rejects.toThrow(/limit/)
    await expect(evaluateTask({ ...given, task: 'gsm8k' })).rejects.toThrow(/line 1.*question.*text/)
    const long = records({ question: 'word '.repeat(600), answer: '#### 1' })
    await expect(evaluateTask({ ...given, records: long, task: 'gsm8k', shots: 0 })).rejects.toThrow(/fewer solved/)
    const signal = AbortSignal.abort(new Error('stop'))
    await expect(evaluateTask({ ...given, task: 'lambada', signal })).rejects.toThrow('stop')
  })
})

describe('figures', () => {
  const items = (...given: [boolean, string, number[]][]): ItemResult[] =>
    given.map(([right, answer, ids], i) => ({ id: String(i), scores: { strict: right }, answer, ids }))

  it('are means with their standard error', () => {
    const scores = scoresOf(findTask('gsm8k'), items([true, '', []], [false, '', []], [false, '', []], [true, '', []]))
    expect(scores).toEqual({ count: 4, accuracy: 0.5, standardError: Math.sqrt(0.25 / 3), scores: { strict: 0.5 } })
  })

  it('agree by answer, by all tokens, and by their beginning', () => {
    const a = items([true, '7', [1, 2, 3, 4]], [true, '8', [1, 2]], [true, '9', [5]])
    const b = items([true, '7', [1, 2, 9, 4]], [true, '8', [1, 2]], [true, '0', [6]])
    expect(agreementOf(a, b)).toEqual({ agreement: 2 / 3, sameTokens: 1 / 3, sharedTokens: 1.5 / 3 })
  })
})
