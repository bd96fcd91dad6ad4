import { useEffect, useRef, useState } from 'preact/hooks'
import { Composer } from '../../browser-shared/composer.tsx'
import { Figures } from '../../browser-shared/figures.tsx'
import { messageOf } from '../../browser-shared/format.ts'
import type { PageModel } from '../../browser-shared/page-model.ts'
import { answer, type Turn } from './answer.ts'
import { forgetPicture, type Picture } from './picture.ts'
import { PicturePane } from './picture-pane.tsx'

const questions = ['What is in this picture?', 'What colours do you see?', 'Read the text in this picture.']

/** A model, the picture that it is shown, and what was said of it. */
export const Looking = ({ opened }: { readonly opened: PageModel }) => {
  const [picture, setPicture] = useState<Picture>()
  const [turns, setTurns] = useState<readonly Turn[]>([])
  const [spoken, setSpoken] = useState('')
  const writing = useRef<AbortController>(undefined)
  const pictures = useRef(new Set<Picture>())

  useEffect(
    () => () => {
      writing.current?.abort()
      pictures.current.forEach(forgetPicture)
    },
    [],
  )

  const show = (next: Picture): void => {
    // Those of earlier questions are shown beside them.
    if (picture && turns.every((turn) => turn.picture !== picture)) forgetPicture(picture)
    pictures.current.add(next)
    setPicture(next)
    setSpoken(`Picture: ${next.name}.`)
  }

  const ask = async (question: string): Promise<void> => {
    if (!picture) {
      setSpoken('Choose a picture first.')
      return
    }
    const stop = new AbortController()
    writing.current = stop
    const before = turns
    let turn: Turn = { picture, question, answer: '' }
    const change = (part: Partial<Turn>): void => {
      turn = { ...turn, ...part }
      setTurns([...before, turn])
    }
    change({})
    setSpoken('Looking.')
    try {
      const pieces = answer(opened, [...before, turn], stop.signal)
      for (let next = await pieces.next(); ; next = await pieces.next()) {
        if (next.done) {
          change({ result: next.value })
          break
        }
        change({ answer: turn.answer + next.value })
      }
      setSpoken(turn.answer)
    } catch (error) {
      change({ note: stop.signal.aborted ? 'stopped' : messageOf(error) })
      setSpoken(turn.note!)
    } finally {
      writing.current = undefined
      setTurns([...before, turn])
    }
  }

  const busy = writing.current !== undefined
  return (
    <div class="looking">
      <div class="about">
        <h1>{opened.name}</h1>
        <ul class="facts">
          {opened.facts.map((fact) => (
            <li key={fact}>{fact}</li>
          ))}
        </ul>
        {opened.warnings.map((warning) => (
          <p key={warning} class="note">
            {warning}
          </p>
        ))}
      </div>
      <PicturePane picture={picture} onPicture={show} />
      <div class="conversation">
        {turns.length === 0 && (
          <div class="ideas">
            <p class="lead">{picture ? 'Ask about it.' : 'Show a picture, then ask about it.'}</p>
            {picture &&
              questions.map((question) => (
                <button type="button" key={question} onClick={() => ask(question)}>
                  {question}
                </button>
              ))}
          </div>
        )}
        <ol class="turns">
          {turns.map((turn, index) => (
            <TurnView
              key={index}
              turn={turn}
              fresh={turns[index - 1]?.picture !== turn.picture}
              busy={busy && index === turns.length - 1}
            />
          ))}
        </ol>
        <p class="hidden" role="status">
          {spoken}
        </p>
        <Composer
          label="Your question about the picture"
          busy={busy}
          disabled={picture === undefined}
          onSend={ask}
          onStop={() => writing.current?.abort()}
        />
      </div>
    </div>
  )
}

/** A question with its answer; `fresh` where it is the first about its picture. */
const TurnView = ({
  turn: { picture, question, answer: written, result, note },
  fresh,
  busy,
}: {
  turn: Turn
  fresh: boolean
  busy: boolean
}) => (
  <li class="turn" aria-busy={busy}>
    {fresh && <img class="small" src={picture.url} alt={picture.name} />}
    <p class="question">{question}</p>
    <p class="answer">
      {written}
      {busy && <span class="caret" />}
    </p>
    {result && <Figures result={result} />}
    {note && <p class="turn-note">{note}</p>}
  </li>
)
