import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EvaluateTaskOptions, TaskEvaluation } from '@awq/evaluate'
import type { CodeSandboxOptions } from '@awq/evaluate/node'
import { afterAll, describe, expect, it } from 'vitest'
import { runMain } from '../fixtures/fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'awq-eval-'))
afterAll(() => rmSync(folder, { recursive: true }))

const item = {
  id: 'HumanEval/0',
  scores: { 'pass@1': true },
  answer: '    return 1',
  ids: [1, 2],
  output: '    return 1',
}
const evaluation: TaskEvaluation = {
  task: 'humaneval',
  count: 4,
  accuracy: 0.5,
  standardError: 0.2887,
  scores: { 'pass@1': 0.5, other: 0.75 },
  agreement: 0.25,
  sameTokens: 0,
  sharedTokens: 0.125,
  items: [item],
  against: { count: 4, accuracy: 1, standardError: 0, scores: {}, items: [item] },
  seconds: 12.34,
}

/** Libraries that record what they were asked. */
const fakes = (closed = true) => {
  const asked: EvaluateTaskOptions[] = []
  const sandboxes: CodeSandboxOptions[] = []
  const files: string[] = []
  const data = { data: 'a certain file' }
  return {
    asked,
    sandboxes,
    files,
    ort: async () => ({ createEngine: async () => ({ dispose: async () => {} }) as never }),
    tasks: async () => ({
      tasks: { lambada: data, gsm8k: data, humaneval: data },
      evaluateTask: async (options: EvaluateTaskOptions) => {
        asked.push(options)
        options.onProgress?.({ model: 'against', done: 4, total: 4 })
        return evaluation
      },
    }),
    taskTools: async () => ({
      createCodeSandbox: async (options: CodeSandboxOptions) => {
        sandboxes.push(options)
        return {
          isolation: { network: closed, files: closed, processes: closed },
          check: async () => ({ status: 'passed' as const }),
        }
      },
      openTaskFile: async function* (path: string) {
        files.push(path)
        yield { value: {}, where: path }
      },
    }),
  }
}

describe('eval --task', () => {
  it('passes on what it is told, and prints the figures', async () => {
    const libraries = fakes()
    const args = ['eval', 'm', '--task', 'gsm8k', '--task-data', 'test.jsonl', '--against', 'f', '--limit', '4']
    const { code, stdout } = await runMain(
      [...args, '--shots', '2', '--shots-data', 'train.jsonl', '--chat'],
      libraries,
    )
    expect(code).toBe(0)
    const [options] = libraries.asked
    expect(options).toMatchObject({ task: 'gsm8k', limit: 4, shots: 2, chat: true, accuracy: 'exact' })
    expect(options?.model).toMatchObject({ name: 'm' })
    expect(options?.against).toMatchObject({ name: 'f' })
    expect(options?.checkCode).toBeUndefined()
    for await (const { where } of options?.shotRecords ?? []) expect(where).toBe('train.jsonl')
    expect(stdout.split('\n')).toEqual([
      'accuracy    50.0% ± 28.9%',
      'other       75.0%',
      "agreement   25.0% of the answers are the reference's",
      'tokens      12.5% of the answers come before the first that differs',
      'reference   100.0% ± 0.0%',
      'task        humaneval, 4 items, in 12 s',
      '',
    ])
  })

  it('sends the figures without the items as an event', async () => {
    const args = ['eval', 'm', '--task', 'lambada', '--task-data', 'f', '--against', 'f', '--json']
    const events = (await runMain(args, fakes())).events()
    expect(events).toContainEqual({ type: 'progress', stage: 'evaluate', completed: 8, total: 8 })
    const { items: _, against: __, ...figures } = evaluation
    expect(events.at(-1)).toEqual({
      ...figures,
      type: 'done',
      against: { count: 4, accuracy: 1, standardError: 0, scores: {} },
    })
  })

  const humaneval = ['eval', 'm', '--task', 'humaneval', '--task-data', 'f']

  it('executes code only when asked to', async () => {
    const libraries = fakes()
    const refused = await runMain(humaneval, libraries)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/--allow-code-execution.*--save FILE/) })
    const file = join(folder, 'answers.jsonl')
    expect((await runMain([...humaneval, '--save', file], libraries)).code).toBe(0)
    expect(libraries.sandboxes).toEqual([])
    expect(libraries.asked.map(({ checkCode }) => checkCode)).toEqual([undefined])
    expect(readFileSync(file, 'utf8')).toBe('{"task_id":"HumanEval/0","completion":"    return 1"}\n')
    const allowed = ['--allow-code-execution', '--python', 'py', '--time-limit', '3']
    const { code, stderr } = await runMain([...humaneval, ...allowed], libraries)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(libraries.sandboxes).toMatchObject([{ python: 'py', timeLimit: 3 }])
    expect(await libraries.asked[1]?.checkCode?.({} as never, {})).toEqual({ status: 'passed' })
  })

  it('warns of what the sandbox does not close', async () => {
    const { stderr } = await runMain([...humaneval, '--allow-code-execution'], fakes(false))
    expect(stderr).toMatch(/warning: .*use the network, write files.*start processes/)
  })

  it.each([
    [['--task', 'lambada', '--text', 'f'], /exclude each other/],
    [['--text', 'f', '--limit', '3'], /--limit does not go with --text/],
    [['--text', 'f', '--chat'], /--chat does not go with --text/],
    [['--task', 'lambada', '--window', '3'], /--window does not go with --task/],
    [['--task', 'mmlu'], /lambada, gsm8k or humaneval/],
    [['--task', 'lambada'], /--task-data FILE: a certain file/],
    [['--task', 'gsm8k', '--allow-code-execution'], /executes no code/],
    [['--task', 'humaneval', '--save', 'x', '--python', 'p'], /--python and --time-limit need/],
    [[], /--text FILE, --prompts FILE or --task TASK/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await runMain(['eval', 'm', ...args], fakes())
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  it('looks for the folder of --save first', async () => {
    const libraries = fakes()
    const { code, stderr } = await runMain([...humaneval, '--save', join(folder, 'none', 'x')], libraries)
    expect(code).toBe(1)
    expect(stderr).toMatch(/no folder .*none/)
    expect(libraries.asked).toEqual([])
  })
})
