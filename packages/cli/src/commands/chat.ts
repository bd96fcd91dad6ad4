import { AwqError } from '@awq/tensor'
import { createChatInput } from '../chat-input.ts'
import { defineCommand, modelPositional } from '../command.ts'
import { describeError } from '../describe-error.ts'
import { plural } from '../format.ts'
import { generationSummary, streamGeneration } from '../generation.ts'
import { contentOf, type ImagePart, readImages } from '../images.ts'
import type { ChatMessage } from '../libraries.ts'
import { loadReference } from '../model.ts'
import { optional } from '../options.ts'
import { generateOptions, samplingOf } from '../sampling.ts'
import { shellQuote } from '../shell-quote.ts'
import { anyText } from '../values.ts'

export const chatCommand = defineCommand({
  name: 'chat',
  summary: 'Talk with a model; /image FILE shows it one, /reset starts over, /exit ends',
  positionals: [modelPositional],
  options: { system: optional('TEXT', anyText, 'A system message before the conversation'), ...generateOptions },
  examples: ['awq chat smollm2-4bit --temperature 0.7', 'printf "Hello\\nWho are you?\\n" | awq chat smollm2-4bit'],
  async run(session, [reference = ''], options) {
    const { context, reporter, interruption, signal } = session
    await using model = await loadReference(session, reference, options, options.accuracy)
    if (model.tokenizer.chatTemplate === undefined) {
      const advice = `use ${context.program} run ${shellQuote(reference)} --prompt TEXT`
      throw new AwqError('UNSUPPORTED', `${reference} has no chat template; ${advice}`)
    }
    reporter.clear()
    const opening: ChatMessage[] = options.system === undefined ? [] : [{ role: 'system', content: options.system }]
    let messages = [...opening]
    /** Of the next question. */
    let images: ImagePart[] = []
    let answers = 0
    let answer: AbortController | undefined
    let warned = false

    // The first Ctrl-C stops the answer, or asks at the prompt; the next one without a line between them ends the chat.
    const onInterrupt = (): void => {
      if (answer && !answer.signal.aborted) {
        answer.abort(new Error('stopped'))
        return
      }
      if (warned || answer) {
        interruption.abort()
        return
      }
      warned = true
      reporter.complain('\n(Ctrl-C again or /exit ends the chat)')
      input.again()
    }
    const input = createChatInput(context, '> ', onInterrupt)
    signal.addEventListener('abort', input.close, { once: true })
    const giveBack = interruption.takeOver(onInterrupt)
    try {
      for (let line = await input.next(); line !== null; line = await input.next()) {
        signal.throwIfAborted()
        warned = false
        const content = line.trim()
        if (content === '/exit' || content === '/quit') break
        if (content === '/reset') {
          messages = [...opening]
          images = []
          reporter.note('(started over)')
          continue
        }
        if (/^\/image\s/.test(content)) {
          try {
            if (!model.sees) throw new AwqError('UNSUPPORTED', `${reference} reads text alone`)
            const path = content.slice('/image'.length).trim()
            await readImages(session, [path])
            images = [...images, { type: 'image', path }]
            reporter.note(`(${plural(images.length, 'image')} for the next question)`)
          } catch (error) {
            signal.throwIfAborted()
            reporter.complain(`awq: ${describeError(error).message}`)
          }
          continue
        }
        if (content.startsWith('/')) {
          reporter.note(
            '(commands: /image FILE shows a picture with the next question, /reset starts over, /exit ends)',
          )
          continue
        }
        if (content === '') continue
        const asked: ChatMessage[] = [...messages, { role: 'user', content: contentOf(content, images) }]
        answer = new AbortController()
        try {
          const result = await streamGeneration(
            session,
            model,
            { messages: asked },
            { ...samplingOf(options), signal: AbortSignal.any([signal, answer.signal]) },
          )
          reporter.print('')
          reporter.event({
            type: 'message',
            role: 'assistant',
            content: result.text,
            finishReason: result.finishReason,
            tokens: result.tokens,
          })
          reporter.note(result.finishReason === 'abort' ? '(stopped)' : `(${generationSummary(result)})`)
          messages = [...asked, { role: 'assistant', content: result.text }]
          images = []
          answers++
        } catch (error) {
          if (signal.aborted) throw error
          const { message } = describeError(error)
          reporter.event({ type: 'warning', message })
          reporter.complain(`awq: ${message} (the question was dropped; /reset starts over)`)
        } finally {
          answer = undefined
        }
      }
      signal.throwIfAborted()
      reporter.event({ type: 'done', answers, messages })
    } finally {
      giveBack()
      input.close()
    }
  },
})
