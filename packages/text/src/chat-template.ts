import { AwqError, messageOf } from '@awq/tensor'
import { Template } from '@huggingface/jinja'
import type { ChatMessage, ChatTemplateOptions } from './types.ts'

/** What a chat template is rendered with besides the messages. */
export interface ChatTemplateContext {
  /** Name of the model folder, for messages. */
  readonly model: string
  /** Templates by name; `tool_use` is taken when tools are given and it exists, else `default`. */
  readonly templates: ReadonlyMap<string, string>
  /** `bos_token`, `eos_token`, … as the template knows them. */
  readonly specialTokens: Readonly<Record<string, string>>
}

/**
 * A function that renders conversations with a model's chat template as transformers' `apply_chat_template` does (Jinja with
 * trim_blocks and lstrip_blocks; variables messages, tools, documents, add_generation_prompt and the special tokens;
 * functions raise_exception and strftime_now). The text contains the control tokens, so encode it without adding any.
 * It throws `AwqError`: UNSUPPORTED without a template or with one that cannot be compiled, INVALID_ARGUMENT when the messages
 * are malformed or the template refuses them.
 */
export function chatTemplateRenderer(
  context: ChatTemplateContext,
): (messages: readonly ChatMessage[], options?: ChatTemplateOptions) => string {
  const compiled = new Map<string, Template>()
  return (messages, options = {}) => {
    checkMessages(messages)
    const name = options.tools?.length && context.templates.has('tool_use') ? 'tool_use' : 'default'
    const template = compiled.get(name) ?? compile(context, name)
    compiled.set(name, template)
    try {
      return template.render({
        ...context.specialTokens,
        tools: options.tools ?? null,
        documents: options.documents ?? null,
        ...options.variables,
        messages,
        add_generation_prompt: options.addGenerationPrompt ?? false,
      })
    } catch (cause) {
      throw new AwqError(
        'INVALID_ARGUMENT',
        `the chat template of ${context.model} refused the messages (roles: ${messages.map((m) => m.role).join(', ')}): ${messageOf(cause)}`,
        { cause },
      )
    }
  }
}

function compile(context: ChatTemplateContext, name: string): Template {
  const source = context.templates.get(name)
  if (source === undefined) {
    const others = context.templates.size > 0 ? `; it has only: ${[...context.templates.keys()].join(', ')}` : ''
    throw new AwqError(
      'UNSUPPORTED',
      `${context.model} has no chat template${others}. Chat needs an instruction-tuned model ` +
        '(often named -Instruct or -Chat); give a base model a plain prompt instead',
    )
  }
  try {
    return new Template(source)
  } catch (cause) {
    throw new AwqError('UNSUPPORTED', `the chat template of ${context.model} cannot be compiled: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new AwqError('INVALID_ARGUMENT', 'a conversation needs at least one message { role, content }')
  }
  for (const [i, message] of messages.entries()) {
    if (typeof message !== 'object' || message === null || typeof message.role !== 'string') {
      throw new AwqError('INVALID_ARGUMENT', `message ${i} of the conversation has no role (a string)`)
    }
  }
}
