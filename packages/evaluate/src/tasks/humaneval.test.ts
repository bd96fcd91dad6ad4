import { describe, expect, it } from 'vitest'
import { chatCompletion, humaneval } from './humaneval.ts'
import type { GenerationItem } from './task.ts'

const record = {
  value: { task_id: 'T/1', prompt: 'def f(x):\n    """ x """\n', entry_point: 'f', test: 'def check(c): pass' },
  where: 'f line 1',
}

describe('humaneval', () => {
  it('asks the prompt as it stands', () => {
    const item = humaneval.prepare({ shots: 0, chat: false })(record) as GenerationItem
    expect(item).toMatchObject({ id: 'T/1', prompt: record.value.prompt })
    expect(item.stop).toContain('\ndef')
  })

  it('asks a chat for a block', () => {
    const item = humaneval.prepare({ shots: 0, chat: true })(record) as GenerationItem
    expect(item.prompt).toMatchObject([{ role: 'user', content: expect.stringContaining('```python\ndef f(x)') }])
    expect(item.answer('Sure:\n```python\ndef f(x):\n    return x\n```\nDone.')).toBe('\ndef f(x):\n    return x\n')
  })

  it('takes the first block, one that is cut off, or all', () => {
    expect(chatCompletion('```\na\n```\n```\nb\n```')).toBe('\na\n')
    expect(chatCompletion('```py\na\nb')).toBe('\na\nb\n')
    expect(chatCompletion('    return x')).toBe('\n    return x\n')
  })

  it('judges nothing without a checker, and says that time ran out', async () => {
    const item = humaneval.prepare({ shots: 0, chat: false })(record) as GenerationItem
    expect(await item.score('x', {})).toEqual({ scores: {} })
    expect(await item.score('x', { checkCode: async () => ({ status: 'timeout' }) })).toEqual({
      scores: { 'pass@1': false },
      message: 'timeout',
    })
  })

  it('is refused shots, and records of other tasks', () => {
    expect(() => humaneval.prepare({ shots: 2, chat: false })).toThrow(/without solved examples/)
    expect(() => humaneval.prepare({ shots: 0, chat: false })({ value: { text: 'x' }, where: 'f line 1' })).toThrow(
      /f line 1.*task_id.*text/,
    )
  })
})
