/**
 * HumanEval: Python functions completed from their signature and docstring.
 * @module
 */
import { refuseShots, type Task, textField } from './task.ts'

/** A line that begins at the margin ends the function. */
const stop = ['\nclass', '\ndef', '\n#', '\nif', '\nprint', '\n@', '\nassert', '\n```']

/**
 * The completion within a chat's answer: its first fenced block, or all of it. A block with the whole function follows
 * the prompt as a second definition, which replaces the first.
 */
export const chatCompletion = (output: string): string => {
  const fenced = /```[^\n]*\n([\s\S]*?)(?:\n```|$)/.exec(output)?.[1]
  return `\n${fenced ?? output}\n`
}

const question = (prompt: string): string =>
  `Complete this Python function. Answer with one code block that holds the whole function, its imports included.\n\n\`\`\`python\n${prompt.trimEnd()}\n\`\`\``

/**
 * HumanEval (Chen et al. 2021, arXiv 2107.03374). Records `{ task_id, prompt, entry_point, test }`. The prompt stands as
 * it is, the output ends where the function does, and passes when its test does: pass@1 of greedy decoding. Without
 * `checkCode` nothing is executed and nothing is judged.
 */
export const humaneval: Task = {
  name: 'humaneval',
  data: 'HumanEval.jsonl.gz of openai/human-eval (fields task_id, prompt, entry_point and test)',
  shots: 0,
  maxNewTokens: 512,
  scores: ['pass@1'],
  prepare(settings) {
    refuseShots('humaneval', settings)
    const { chat } = settings
    return (record) => {
      const [id, prompt, entryPoint, test] = ['task_id', 'prompt', 'entry_point', 'test'].map((field) =>
        textField(record, field, 'humaneval'),
      ) as [string, string, string, string]
      const answer = chat ? chatCompletion : (output: string) => output
      return {
        kind: 'generation',
        id,
        prompt: chat ? [{ role: 'user', content: question(prompt) }] : prompt,
        stop: chat ? [] : stop,
        answer,
        async score(output, { checkCode, signal }) {
          if (!checkCode) return { scores: {} }
          const problem = { prompt, completion: answer(output), test, entryPoint }
          const { status, message } = await checkCode(problem, { signal })
          return {
            scores: { 'pass@1': status === 'passed' },
            message: message ?? (status === 'timeout' ? status : undefined),
          }
        },
      }
    }
  },
}
