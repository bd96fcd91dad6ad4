// Accuracy on tasks, and agreement of the greedy answers, of several quantized copies of one model. The float model runs
// once; each copy is compared with it.
//
//   node --conditions=@awq/source benchmarks/tasks/run.ts FLOAT_DIR COPY_DIR... --lambada FILE --gsm8k FILE --humaneval FILE
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { agreementOf, type CheckCode, readTaskItems, runTask, scoresOf, taskNames, tasks } from '@awq/evaluate'
import { createCodeSandbox, openTaskFile } from '@awq/evaluate/node'
import { createEngine } from '@awq/ort'
import { openFolder } from '@awq/tensor/node'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lambada: { type: 'string' },
    gsm8k: { type: 'string' },
    humaneval: { type: 'string' },
    'lambada-limit': { type: 'string', default: '500' },
    'gsm8k-limit': { type: 'string', default: '20' },
    'humaneval-limit': { type: 'string', default: '20' },
    'max-new-tokens': { type: 'string' },
    threads: { type: 'string' },
    'allow-code-execution': { type: 'boolean', default: false },
  },
})
const [float, ...copies] = positionals
const chosen = taskNames.filter((name) => values[name] !== undefined)
if (float === undefined || chosen.length === 0) {
  console.error(`usage: run.ts FLOAT_DIR COPY_DIR...
  --lambada FILE --gsm8k FILE --humaneval FILE      the tasks' files; at least one
  --lambada-limit 500 --gsm8k-limit 20 --humaneval-limit 20   first items that are taken
  --max-new-tokens N       of gsm8k and humaneval (default: the task's)
  --allow-code-execution   run the programs of humaneval in the sandbox; without it only their agreement is shown
  --threads N`)
  process.exit(2)
}

const engine = await createEngine(values.threads === undefined ? {} : { threads: Number(values.threads) })
const checkCode: CheckCode | undefined =
  values.humaneval !== undefined && values['allow-code-execution'] ? (await createCodeSandbox()).check : undefined
const percent = (share: number | undefined): string => (share === undefined ? '' : `${(share * 100).toFixed(1)}%`)
const maxNewTokens = values['max-new-tokens'] === undefined ? undefined : Number(values['max-new-tokens'])

try {
  for (const task of chosen) {
    const file = values[task] as string
    const items = await readTaskItems(task, { records: openTaskFile(file), limit: Number(values[`${task}-limit`]) })
    const run = async (path: string) => {
      const started = performance.now()
      const results = await runTask({ model: await openFolder(path), task, items, engine, maxNewTokens, checkCode })
      return { results, ...scoresOf(tasks[task], results), seconds: (performance.now() - started) / 1000 }
    }
    console.log(`\n${task}, ${items.length} items\n`)
    console.log(
      `| model | ${tasks[task].scores.join(' | ')} | ± | perplexity | agreement | same tokens | shared tokens | s |`,
    )
    console.log(`| --- |${tasks[task].scores.map(() => ' --- |').join('')} --- | --- | --- | --- | --- | --- |`)
    const reference = await run(float)
    for (const [index, path] of [float, ...copies].entries()) {
      const { results, scores, standardError, perplexity, seconds } = index === 0 ? reference : await run(path)
      const { agreement, sameTokens, sharedTokens } = agreementOf(results, reference.results)
      const cells = [
        basename(path),
        ...tasks[task].scores.map((name) => percent(scores[name])),
        percent(standardError),
        perplexity?.toFixed(2) ?? '',
        ...[agreement, sameTokens, sharedTokens].map((share) => (index === 0 ? '' : percent(share))),
        seconds.toFixed(0),
      ]
      console.log(`| ${cells.join(' | ')} |`)
    }
  }
} finally {
  await engine.dispose()
}
