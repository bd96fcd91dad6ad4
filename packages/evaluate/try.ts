import { readFileSync } from 'node:fs'
import { evaluateTask } from '@awq/evaluate'
import { openTaskFile } from '@awq/evaluate/node'
import { openFolder } from '@awq/tensor/node'

const result = await evaluateTask({
  model: await openFolder('/tmp/w/smollm2'),
  task: 'lambada',
  limit: 200,
  records: openTaskFile('/work/shared/data/eval/lambada/lambada_test.jsonl'),
})
const torch = JSON.parse(readFileSync('/tmp/w/tasks/torch-200.json', 'utf8'))
const { items, ...figures } = result
console.log(figures)
console.log(
  'different verdicts',
  items.filter((it, i) => Number(it.scores.accuracy) !== torch.hits[i]).length,
  'largest nll difference',
  Math.max(...items.map((it, i) => Math.abs(it.nll! - torch.nlls[i]))),
)
