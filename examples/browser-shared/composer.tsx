import { useEffect, useRef, useState } from 'preact/hooks'

interface Props {
  readonly label: string
  readonly busy: boolean
  /** There is nothing yet to write about. */
  readonly disabled?: boolean
  readonly onSend: (text: string) => void
  readonly onStop: () => void
}

/** Where a person writes: Enter sends, Shift+Enter begins a line, Escape stops the answer. */
export const Composer = ({ label, busy, disabled = false, onSend, onStop }: Props) => {
  const [draft, setDraft] = useState('')
  const field = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    if (!busy) field.current?.focus({ preventScroll: true })
  }, [busy])
  const send = (): void => {
    if (busy || disabled || draft.trim() === '') return
    onSend(draft)
    setDraft('')
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && busy) onStop()
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
        event.preventDefault()
        send()
      }}
    >
      <label class="hidden" for="draft">
        {label}
      </label>
      <textarea
        id="draft"
        ref={field}
        rows={2}
        placeholder={label}
        value={draft}
        onInput={(event) => setDraft(event.currentTarget.value)}
      />
      {busy ? (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      ) : (
        <button type="submit" class="main" disabled={disabled || draft.trim() === ''}>
          Send
        </button>
      )}
    </form>
  )
}
