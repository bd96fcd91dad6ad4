import { addAbortSignal } from 'node:stream'
import type { RgbImage } from '@awq/image'
import { defineCommand, modelPositional, type Session } from '../command.ts'
import { generationSummary, streamGeneration } from '../generation.ts'
import { contentOf, imageMark, readImages } from '../images.ts'
import type { ChatMessage, LanguageModel, PromptInput } from '../libraries.ts'
import { loadReference } from '../model.ts'
import { flag, optional, repeated, required } from '../options.ts'
import { UsageError } from '../parse.ts'
import { generateOptions, samplingOf } from '../sampling.ts'
import { anyText } from '../values.ts'

/** Standard input to its end as UTF-8. */
const readStdin = async ({ context, signal }: Session): Promise<string> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of addAbortSignal(signal, context.stdin)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * What is to be continued. With images the prompt is a question, in the chat template of models that have one: it is what they
 * were trained on.
 */
const runInput = (
  { tokenizer }: LanguageModel,
  prompt: string,
  images: readonly RgbImage[],
  { chat, system }: { chat: boolean; system: string | undefined },
): PromptInput => {
  const first: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }]
  const shown = images.map((image) => ({ type: 'image', image }) as const)
  if (chat || (images.length > 0 && tokenizer.chatTemplate !== undefined)) {
    return { messages: [...first, { role: 'user', content: contentOf(prompt, shown) }] }
  }
  return images.length > 0 ? { prompt, images } : { prompt }
}

export const runCommand = defineCommand({
  name: 'run',
  summary: 'Write text after a prompt',
  positionals: [modelPositional],
  options: {
    prompt: required('TEXT', anyText, 'The text to continue, or the question with --chat; - reads standard input'),
    chat: flag("Put the prompt into the model's chat template"),
    image: repeated(
      'FILE',
      anyText,
      `An image that the prompt is about, for a model that sees; as often as there are images. They come first, or where the prompt has ${imageMark}`,
    ),
    system: optional('TEXT', anyText, 'A system message before the prompt; needs --chat'),
    ...generateOptions,
  },
  examples: [
    'awq run smollm2-4bit --prompt "Once upon a time"',
    'awq run smollm2-4bit --chat --prompt "Why is the sky blue?" --temperature 0.7 --top-p 0.9',
    'awq run smolvlm-4bit --image photo.jpg --prompt "What is on this picture?"',
    'awq run smolvlm-4bit --image a.png --image b.png --prompt "Before: <image> After: <image> What changed?"',
  ],
  async run(session, [reference = ''], options) {
    const { reporter } = session
    if (options.system !== undefined && !options.chat) throw new UsageError('--system needs --chat')
    const prompt = options.prompt === '-' ? await readStdin(session) : options.prompt
    const images = await readImages(session, options.image)
    await using model = await loadReference(session, reference, options, options.accuracy)
    reporter.clear()
    const input = runInput(model, prompt, images, options)
    const result = await streamGeneration(session, model, input, samplingOf(options))
    reporter.print('')
    reporter.event({ type: 'done', ...result })
    reporter.note(generationSummary(result))
  },
})
