import type { RefObject } from 'preact'
import { useLayoutEffect } from 'preact/hooks'
import { Icon, StopIcon } from './icon.tsx'

/** What the composer needs. */
export interface ComposerProps {
  readonly field: RefObject<HTMLTextAreaElement | null>
  readonly draft: string
  readonly writing: boolean
  readonly ready: boolean
  /** The model continues texts. */
  readonly continues: boolean
  readonly onDraft: (draft: string) => void
  readonly onSend: () => void
  readonly onStop: () => void
}

/** Where a question is written. */
export const Composer = (props: ComposerProps) => {
  const { field, draft, writing, ready, continues, onDraft, onSend, onStop } = props
  const label = continues ? 'Text for the model to continue' : 'Your message'
  // As high as its text, up to what the style sheet allows.
  useLayoutEffect(() => {
    const area = field.current
    if (!area) return
    area.style.height = 'auto'
    area.style.height = `${area.scrollHeight}px`
  }, [draft, field])
  return (
    <form
      class="composer"
      aria-label="Message"
      onSubmit={(event) => {
        event.preventDefault()
        onSend()
      }}
    >
      <div class="box">
        <label class="hidden" for="draft">
          {label}
        </label>
        <textarea
          id="draft"
          ref={field}
          rows={1}
          value={draft}
          placeholder={continues ? 'Begin a text …' : 'Ask something …'}
          aria-describedby="keys"
          enterkeyhint="send"
          autocomplete="off"
          onInput={(event) => onDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            // Enter also ends the composition of a character; that one sends nothing.
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return
            event.preventDefault()
            onSend()
          }}
        />
        {writing ? (
          <button type="button" class="send" title="Stop (Escape)" onClick={onStop}>
            <StopIcon />
            <span class="hidden">Stop</span>
          </button>
        ) : (
          <button type="submit" class="send" title="Send (Enter)" disabled={!ready || draft.trim() === ''}>
            <Icon name="send" />
            <span class="hidden">Send</span>
          </button>
        )}
      </div>
      <p class="keys" id="keys">
        <kbd>Enter</kbd> sends, <kbd>Shift</kbd>+<kbd>Enter</kbd> begins a new line, <kbd>Esc</kbd> stops
      </p>
    </form>
  )
}
