import { useState } from 'preact/hooks'
import { type Chat, type ChatState, resetAnswers } from '../chat.ts'
import { readWhole, type Settings } from '../settings.ts'
import { Facts } from './facts.tsx'

interface RangeProps {
  readonly id: string
  readonly label: string
  readonly hint: string
  readonly value: number
  readonly max: number
  readonly onChange: (value: number) => void
}

const Range = ({ id, label, hint, value, max, onChange }: RangeProps) => (
  <div class="field">
    <label for={id}>{label}</label>
    <output for={id}>{value.toFixed(2)}</output>
    <input
      id={id}
      type="range"
      min="0"
      max={max}
      step="0.05"
      value={value}
      aria-describedby={`${id}-hint`}
      onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
    />
    <p id={`${id}-hint`} class="hint">
      {hint}
    </p>
  </div>
)

interface WholeProps {
  readonly id: string
  readonly label: string
  readonly hint: string
  readonly least: number
  readonly value: number | undefined
  readonly empty: string
  readonly onChange: (value: number | undefined) => void
}

const Whole = ({ id, label, hint, least, value, empty, onChange }: WholeProps) => {
  const [typed, setTyped] = useState(value === undefined ? '' : String(value))
  const wrong = readWhole(typed, least) === null
  const read = readWhole(typed, least)
  // A reset from outside shows, too.
  const shown = !wrong && read !== value ? (value === undefined ? '' : String(value)) : typed
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        inputmode="numeric"
        autocomplete="off"
        value={shown}
        placeholder={empty}
        aria-invalid={wrong}
        aria-describedby={`${id}-hint`}
        onInput={(event) => {
          const words = event.currentTarget.value
          setTyped(words)
          const next = readWhole(words, least)
          if (next !== null) onChange(next)
        }}
      />
      <p id={`${id}-hint`} class={wrong ? 'hint wrong' : 'hint'}>
        {wrong ? `A whole number from ${least}, or nothing.` : hint}
      </p>
    </div>
  )
}

const themes: readonly [Settings['theme'], string][] = [
  ['system', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
]

/** All that can be set. */
export const SettingsPanel = ({ chat, state }: { chat: Chat; state: ChatState }) => {
  const { settings, model, hasKey, conversations } = state
  return (
    <>
      <section aria-labelledby="answers">
        <h3 id="answers">Answers</h3>
        <div class="field">
          <label for="system">System prompt</label>
          <textarea
            id="system"
            rows={3}
            value={settings.system}
            placeholder="Who the model is, and how it answers"
            disabled={model?.chat === false}
            aria-describedby="system-hint"
            onInput={(event) => chat.change({ system: event.currentTarget.value })}
          />
          <p id="system-hint" class="hint">
            {model?.chat === false
              ? 'This model continues texts; it takes no instructions.'
              : 'Stands before every conversation.'}
          </p>
        </div>
        <Range
          id="temperature"
          label="Temperature"
          hint="0 takes the likeliest word every time; more brings variety."
          value={settings.temperature}
          max={2}
          onChange={(temperature) => chat.change({ temperature })}
        />
        <Range
          id="top-p"
          label="Top p"
          hint="Leaves out the unlikely rest of the words; 1 leaves out none."
          value={settings.topP}
          max={1}
          onChange={(topP) => chat.change({ topP })}
        />
        <Whole
          id="max-tokens"
          label="Most tokens"
          hint="Where an answer is cut off."
          least={1}
          value={settings.maxTokens}
          empty={model?.chat === false ? '256' : 'what the context leaves'}
          onChange={(maxTokens) => chat.change({ maxTokens })}
        />
        <Whole
          id="seed"
          label="Seed"
          hint="The same seed gives the same answer to the same question."
          least={0}
          value={settings.seed}
          empty="another one every time"
          onChange={(seed) => chat.change({ seed })}
        />
        <button type="button" onClick={() => chat.change(resetAnswers(settings))}>
          Reset
        </button>
      </section>
      {model && model.facts.length > 0 && (
        <section aria-labelledby="facts">
          <h3 id="facts">{model.id}</h3>
          <Facts model={model} />
        </section>
      )}
      <section aria-labelledby="page">
        <h3 id="page">This page</h3>
        <div class="field">
          <label for="theme">Colours</label>
          <select
            id="theme"
            value={settings.theme}
            onChange={(event) => chat.change({ theme: event.currentTarget.value as Settings['theme'] })}
          >
            {themes.map(([value, words]) => (
              <option value={value}>{words}</option>
            ))}
          </select>
        </div>
        <label class="check">
          <input
            type="checkbox"
            checked={settings.keep}
            onChange={(event) => chat.change({ keep: event.currentTarget.checked })}
          />
          Keep conversations in this browser
        </label>
        <p class="hint">Otherwise they go with this tab. They are never stored by the server.</p>
        <div class="row">
          <button type="button" disabled={conversations.length === 0} onClick={chat.clear}>
            Delete all conversations
          </button>
          {hasKey && (
            <button type="button" onClick={() => void chat.useKey(undefined)}>
              Forget the API key
            </button>
          )}
        </div>
      </section>
    </>
  )
}
