import { AwqError } from '@awq/tensor'

/** A prompt with more tokens than there is room for. */
export class PromptTooLong extends AwqError {
  /** What it has; at least so many where `counted` is false. */
  readonly tokens: number
  /** All of its tokens were counted. */
  readonly counted: boolean

  constructor(most: number, tokens: number, counted = true, advice = 'Shorten the prompt.') {
    const number = counted ? String(tokens) : `at least ${tokens}`
    super('INVALID_ARGUMENT', `The prompt has ${number} tokens, more than the context of ${most}. ${advice}`)
    this.tokens = tokens
    this.counted = counted
  }
}
