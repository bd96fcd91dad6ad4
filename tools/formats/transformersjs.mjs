/**
 * Generates with transformers.js. Reads a job from stdin: { root, folder, dtype, prompts (ids, or texts), tokens, batch }.
 * Prints { ids } or, for texts, { ids, texts }: everything after each prompt.
 */
import { basename, dirname } from 'node:path'
import { text } from 'node:stream/consumers'

const job = JSON.parse(await text(process.stdin))
const library = `${job.root}/node_modules/@huggingface/transformers/dist/transformers.node.mjs`
const { AutoModelForCausalLM, AutoTokenizer, env, Tensor } = await import(library)
env.allowRemoteModels = false
env.localModelPath = `${dirname(job.folder)}/`
const name = basename(job.folder)
const model = await AutoModelForCausalLM.from_pretrained(name, { dtype: job.dtype })
const tokenizer = job.texts ? await AutoTokenizer.from_pretrained(name) : undefined

const int64 = (rows) => new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length])
const padded = (rows) => {
  const width = Math.max(...rows.map((row) => row.length))
  const fill = (row, pad, value) => [...new Array(width - row.length).fill(pad), ...row.map(value)]
  return {
    input_ids: int64(rows.map((row) => fill(row, 0, (id) => id))),
    attention_mask: int64(rows.map((row) => fill(row, 0, () => 1))),
  }
}
const generate = async (prompts) => {
  const inputs = padded(prompts)
  const made = await model.generate({
    ...inputs,
    max_new_tokens: job.tokens,
    do_sample: false,
    repetition_penalty: 1,
  })
  return made.tolist().map((row) => row.map(Number).slice(inputs.input_ids.dims[1]))
}

const prompts = job.texts ? job.texts.map((one) => Array.from(tokenizer(one).input_ids.data, Number)) : job.prompts
const started = performance.now()
const ids = job.batch ? await generate(prompts) : []
if (!job.batch) for (const prompt of prompts) ids.push(...(await generate([prompt])))
const seconds = (performance.now() - started) / 1000
const texts = tokenizer && ids.map((row) => tokenizer.decode(row, { skip_special_tokens: true }))
console.log(JSON.stringify({ prompts, ids, texts, seconds }))
