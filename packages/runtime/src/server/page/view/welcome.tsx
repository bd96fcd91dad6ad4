import { useEffect, useRef, useState } from 'preact/hooks'
import type { Chat, ChatState } from '../chat.ts'
import { FactLine } from './facts.tsx'

const questions = [
  'Explain how a rainbow comes about.',
  'Write a short poem about the sea.',
  'How do I undo the last commit in git?',
]
const beginnings = ['Once upon a time, there was a little girl', 'The old lighthouse keeper', 'One day, a dog found']

/** What an empty conversation shows: what the model is, and something to begin with. */
export const Welcome = ({ state, onChoose }: { state: ChatState; onChoose: (text: string) => void }) => {
  const { model } = state
  if (!model) return <p class="lead">This server has no models.</p>
  const continues = model.chat === false
  return (
    <div class="welcome">
      <h1>{continues ? 'Begin a text' : 'Ask something'}</h1>
      <p class="lead">
        {continues
          ? `${model.id} has no chat template: it goes on with whatever you write.`
          : `${model.id} answers. What you write goes to this server and nowhere else.`}
      </p>
      <FactLine model={model} />
      <ul class="ideas" aria-label="To begin with">
        {(continues ? beginnings : questions).map((text) => (
          <li>
            <button type="button" onClick={() => onChoose(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** What is shown while there is no connection. */
export const Disconnected = ({ state, chat }: { state: ChatState; chat: Chat }) => {
  const { connection, failure } = state
  if (connection === 'connecting')
    return (
      <p class="lead" role="status">
        Looking for the models of this server …
      </p>
    )
  return (
    <div class="note" role="alert">
      <p>
        <strong>{failure?.title}</strong> {failure?.detail}
      </p>
      <button type="button" onClick={() => void chat.connect()}>
        Try again
      </button>
    </div>
  )
}

/** Where the API key is entered. */
export const KeyForm = ({ state, chat }: { state: ChatState; chat: Chat }) => {
  const [key, setKey] = useState('')
  const { failure, hasKey } = state
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])
  return (
    <form
      class="key note"
      aria-label="API key"
      onSubmit={(event) => {
        event.preventDefault()
        // Pasted keys bring blanks along.
        const given = key.trim()
        if (given !== '') void chat.useKey(given)
      }}
    >
      <p id="key-why" role="alert">
        <strong>{failure?.title}</strong> {failure?.detail}
      </p>
      <label for="key">API key</label>
      <div class="row">
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={key}
          aria-describedby="key-why key-where"
          aria-invalid={hasKey}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
        <button type="submit" disabled={key.trim() === ''}>
          Use this key
        </button>
      </div>
      <p id="key-where" class="hint">
        It stays in this tab, and goes to this server alone.
      </p>
    </form>
  )
}
