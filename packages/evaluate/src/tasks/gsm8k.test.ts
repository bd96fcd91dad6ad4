import { describe, expect, it } from 'vitest'
import { flexibleAnswer, gsm8k, strictAnswer } from './gsm8k.ts'
import { gsm8kShots } from './gsm8k-shots.ts'
import type { GenerationItem, TaskSettings } from './task.ts'

const record = (question: string, answer: string) => ({ value: { question, answer }, where: 'test.jsonl line 3' })
const item = (settings: Partial<TaskSettings> = {}, answer = 'She has <<3+4=7>>7.\n#### 7') =>
  gsm8k.prepare({ shots: 2, chat: false, ...settings })(record(' How many? ', answer)) as GenerationItem

describe('answers of gsm8k', () => {
  it.each([
    ['So 18.\n#### 18', '18'],
    ['#### 18\n#### 20', '18'],
    ['####18.', '18'],
    ['#### $1,234.50', '1234.5'],
    ['#### -3', '-3'],
    ['#### 70000 dollars', '70000'],
    ['The answer is 18', undefined],
    ['#### none', undefined],
  ])('strict: %j is %j', (output, expected) => {
    expect(strictAnswer(output)).toBe(expected)
  })

  it.each([
    ['20 - 2 = 18 eggs', '18'],
    ['it is 20-15', '15'],
    ['the change is -5', '-5'],
    ['$1,234.50.', '1234.5'],
    ['1,2,3', '3'],
    ['18.00', '18'],
    ['#### 18\n\nIn 2024', '2024'],
    ['no number', undefined],
  ])('flexible: %j is %j', (output, expected) => {
    expect(flexibleAnswer(output)).toBe(expected)
  })
})

describe('gsm8k', () => {
  it('asks after worked examples, in one form', () => {
    expect(item().prompt).toBe(
      `${gsm8kShots
        .slice(0, 2)
        .map(({ question, answer }) => `Question: ${question}\nAnswer: ${answer}\n\n`)
        .join('')}Question: How many?\nAnswer:`,
    )
    expect(item({ shots: 0 }).prompt).toBe('Question: How many?\nAnswer:')
  })

  it('takes examples from records, without notes for a calculator', () => {
    const { prompt } = item({ shots: 1, shotRecords: [record('One?', '2/2=<<2/2=1>>1\n#### 1')] })
    expect(prompt).toBe('Question: One?\nAnswer: 2/2=1\n#### 1\n\nQuestion: How many?\nAnswer:')
  })

  it('asks a chat in turns', () => {
    const { prompt, stop } = item({ shots: 1, chat: true })
    expect(prompt).toEqual([
      { role: 'user', content: expect.stringMatching(/####.*\n\n/) },
      { role: 'assistant', content: gsm8kShots[0]?.answer },
      { role: 'user', content: 'How many?' },
    ])
    expect(stop).toEqual([])
  })

  it('judges strictly and flexibly', async () => {
    expect(await item().score(' so\n#### 7', {})).toEqual({ scores: { strict: true, flexible: true } })
    expect(await item().score(' so 7.', {})).toEqual({ scores: { strict: false, flexible: true } })
    expect(await item({}, 'x\n#### 1,000').score(' #### 1000', {})).toMatchObject({ scores: { strict: true } })
    expect(item().answer('it is 7')).toBe('7')
  })

  it('refuses records that are no items, and more examples than there are', () => {
    expect(() => item({}, 'seven')).toThrow(/line 3.*####/)
    expect(() => gsm8k.prepare({ shots: 0, chat: false })({ value: { question: 'x' }, where: 'f line 1' })).toThrow(
      /f line 1.*answer.*question/,
    )
    expect(() => item({ shots: 9 })).toThrow(/8 solved examples.*train/)
    expect(() => item({ shots: 2, shotRecords: [record('a', 'b')] })).toThrow(/1 solved/)
  })

  it('has worked examples that work out', () => {
    for (const { answer } of gsm8kShots) {
      const results = [...answer.matchAll(/(\d[\d.]*(?: [-+*/] [\d.]+)+) = \$?([\d.]*\d)/g)]
      expect(results.length).toBeGreaterThan(0)
      for (const [, formula = '', result] of results) expect(calculate(formula)).toBe(Number(result))
      expect(Number(strictAnswer(answer))).toBe(Number(results.at(-1)?.[2]))
    }
  })
})

/** Multiplications and divisions first, from left to right. */
const calculate = (formula: string): number => {
  const [head = '', ...rest] = formula.split(' ')
  const terms = [Number(head)]
  for (let i = 0; i < rest.length; i += 2) {
    const value = Number(rest[i + 1])
    const last = terms.length - 1
    if (rest[i] === '*') terms[last] = (terms[last] ?? 0) * value
    else if (rest[i] === '/') terms[last] = (terms[last] ?? 0) / value
    else terms.push(rest[i] === '-' ? -value : value)
  }
  return terms.reduce((sum, term) => sum + term, 0)
}
