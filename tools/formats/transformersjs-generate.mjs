/** Greedy generation with transformers.js, in Node and in a page alike. */

/**
 * @param library what transformers.js exports
 * @param name the model's folder in `env.localModelPath`
 * @param job { dtype, device, prompts (ids, or texts), tokens, batch }
 * @returns { prompts, ids, texts, seconds }: everything after each prompt
 */
export const generateWith = async ({ AutoModelForCausalLM, AutoTokenizer, Tensor }, name, job) => {
  const { dtype, device } = job
  const model = await AutoModelForCausalLM.from_pretrained(name, { dtype, ...(device && { device }) })
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
  return { prompts, ids, texts, seconds }
}
