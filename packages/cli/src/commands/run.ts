import { addAbortSignal } from 'node:stream'
import { defineCommand, modelPositional, type Session } from '../command.ts'
import { generationSummary, streamGeneration } from '../generation.ts'
import type { ChatMessage } from '../libraries.ts'
import { loadReference } from '../model.ts'
import { flag, optional, required } from '../options.ts'
import { UsageError } from '../parse.ts'
import { generateOptions, samplingOf } from '../sampling.ts'
import { anyText } from '../values.ts'

/** Standard input to its end as UTF-8. */
const readStdin = async ({ context, signal }: Session): Promise<string> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of addAbortSignal(signal, context.stdin)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

export const runCommand = defineCommand({
  name: 'run',
  summary: 'Write text after a prompt',
  positionals: [modelPositional],
  options: {
    prompt: required('TEXT', anyText, 'The text to continue, or the question with --chat; - reads standard input'),
    chat: flag("Put the prompt into the model's chat template"),
    system: optional('TEXT', anyText, 'A system message before the prompt; needs --chat'),
    ...generateOptions,
  },
  examples: [
    'awq run smollm2-4bit --prompt "Once upon a time"',
    'awq run smollm2-4bit --chat --prompt "Why is the sky blue?" --temperature 0.7 --top-p 0.9',
  ],
  async run(session, [reference = ''], options) {
    const { reporter } = session
    if (options.system !== undefined && !options.chat) throw new UsageError('--system needs --chat')
    const prompt = options.prompt === '-' ? await readStdin(session) : options.prompt
    const system: ChatMessage[] = options.system === undefined ? [] : [{ role: 'system', content: options.system }]
    await using model = await loadReference(session, reference, options, options.accuracy)
    reporter.clear()
    const result = await streamGeneration(
      session,
      model,
      options.chat ? { messages: [...system, { role: 'user', content: prompt }] } : { prompt },
      samplingOf(options),
    )
    reporter.print('')
    reporter.event({ type: 'done', ...result })
    reporter.note(generationSummary(result))
  },
})
