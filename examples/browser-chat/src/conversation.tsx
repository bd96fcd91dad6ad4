import { useEffect, useRef, useState } from 'preact/hooks'
import { Composer } from '../../browser-shared/composer.tsx'
import { messageOf } from '../../browser-shared/format.ts'
import type { PageModel } from '../../browser-shared/page-model.ts'
import { answer, type Turn } from './chat.ts'
import { keepSettings, readSettings, type Settings } from './settings.ts'
import { SettingsPanel } from './settings-panel.tsx'
import { TurnView } from './turn-view.tsx'

const beginnings = ['Once upon a time', 'Lily found a shiny key', 'The little dog was sad because']
const questions = ['Why is the sky blue?', 'Write a poem about the sea.', 'What can I cook with eggs and rice?']

/** What was said, and what is being said. */
export const Conversation = ({ chat }: { readonly chat: PageModel }) => {
  const [turns, setTurns] = useState<readonly Turn[]>([])
  const [settings, setSettings] = useState<Settings>(readSettings)
  const [spoken, setSpoken] = useState('')
  const writing = useRef<AbortController>(undefined)
  const end = useRef<HTMLDivElement>(null)

  // Whoever leaves the conversation waits for no answer.
  useEffect(() => () => writing.current?.abort(), [])
  useEffect(() => end.current?.scrollIntoView({ block: 'end' }), [turns])

  const send = async (question: string): Promise<void> => {
    const stop = new AbortController()
    writing.current = stop
    const before = turns
    let turn: Turn = { question, answer: '' }
    const show = (change: Partial<Turn>): void => {
      turn = { ...turn, ...change }
      setTurns([...before, turn])
    }
    show({})
    setSpoken('Answering.')
    try {
      const pieces = answer(chat, before, question, settings, stop.signal)
      for (let next = await pieces.next(); ; next = await pieces.next()) {
        if (next.done) {
          show({ result: next.value })
          break
        }
        show({ answer: turn.answer + next.value })
      }
      setSpoken(turn.answer)
    } catch (error) {
      show({ note: stop.signal.aborted ? 'stopped' : messageOf(error) })
      setSpoken(turn.note!)
    } finally {
      writing.current = undefined
      setTurns([...before, turn])
    }
  }

  const busy = writing.current !== undefined
  return (
    <div class="conversation">
      <div class="about">
        <h1>{chat.name}</h1>
        <ul class="facts">
          {chat.facts.map((fact) => (
            <li key={fact}>{fact}</li>
          ))}
        </ul>
      </div>
      {chat.warnings.map((warning) => (
        <p key={warning} class="note">
          {warning}
        </p>
      ))}
      <SettingsPanel
        settings={settings}
        converses={chat.converses}
        onChange={(changed) => {
          setSettings(changed)
          keepSettings(changed)
        }}
      />
      {turns.length === 0 && (
        <div class="ideas">
          <p class="lead">{chat.converses ? 'Ask something.' : 'This model continues texts. Give it a beginning.'}</p>
          {(chat.converses ? questions : beginnings).map((idea) => (
            <button type="button" key={idea} onClick={() => send(idea)}>
              {idea}
            </button>
          ))}
        </div>
      )}
      <ol class="turns">
        {turns.map((turn, index) => (
          <TurnView key={index} turn={turn} converses={chat.converses} busy={busy && index === turns.length - 1} />
        ))}
      </ol>
      <p class="hidden" role="status">
        {spoken}
      </p>
      <Composer
        label={chat.converses ? 'Your message' : 'The beginning of a text'}
        busy={busy}
        onSend={send}
        onStop={() => writing.current?.abort()}
      />
      <div ref={end} />
    </div>
  )
}
