import { useMemo } from 'preact/hooks'
import { type AnswerFigures, shownAnswer, type Turn, tokensPerSecond } from '../conversation.ts'
import type { Failure } from '../failure.ts'
import { CopyButton } from './copy-button.tsx'
import { Icon } from './icon.tsx'
import { Markdown } from './markdown.tsx'

const seconds = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0))

const rate = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0))

const Figures = ({ figures, end }: { figures: AnswerFigures; end: Turn['end'] }) => {
  const perSecond = tokensPerSecond(figures)
  const { tokens, counted, firstSeconds, promptTokens, cachedTokens } = figures
  const prompt =
    promptTokens === undefined ? undefined : `${promptTokens} tokens of prompt, ${cachedTokens ?? 0} of them known`
  return (
    <ul class="figures" aria-label="Figures of this answer" title={prompt}>
      {perSecond !== undefined && (
        <li>
          <b>{rate(perSecond)}</b> tokens/s
        </li>
      )}
      {firstSeconds !== undefined && (
        <li>
          first after <b>{seconds(firstSeconds)}</b> s
        </li>
      )}
      {tokens > 0 && (
        <li>
          <b>
            {counted || end === undefined ? '' : '~'}
            {tokens}
          </b>{' '}
          {tokens === 1 ? 'token' : 'tokens'}
        </li>
      )}
      {end === 'stopped' && <li>stopped</li>}
      {end === 'length' && <li>cut off: longer answers by the settings</li>}
    </ul>
  )
}

const FailureNote = ({ failure, onRetry }: { failure: Failure; onRetry: (() => void) | undefined }) => (
  <div class="note" role="alert">
    <p>
      <strong>{failure.title}</strong> {failure.detail}
    </p>
    {onRetry && failure.kind !== 'key' && (
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    )}
  </div>
)

const Thought = ({ text, open }: { text: string; open: boolean }) => (
  <details class="thought" open={open}>
    <summary>{open ? 'Thinking' : 'What it thought'}</summary>
    <Markdown text={text} />
  </details>
)

/** What a turn needs to be shown. */
export interface TurnProps {
  readonly turn: Turn
  /** It is the last one, and nothing is being written. */
  readonly open: boolean
  /** The server has several models, so that an answer says whose it is. */
  readonly several: boolean
  readonly onRetry: () => void
  readonly onEdit: () => void
}

/** A question and its answer. Drawn again only when the turn itself is another. */
export const TurnView = (props: TurnProps) => {
  const { turn, open, several, onRetry, onEdit } = props
  return useMemo(() => <Both {...props} />, [turn, open, several, onRetry, onEdit])
}

const Both = ({ turn, open, several, onRetry, onEdit }: TurnProps) => {
  const { end, figures, failure } = turn
  const { thought, said } = shownAnswer(turn)
  const writing = end === undefined
  return (
    <li class="turn">
      <article class="question" aria-label="You">
        <h2 class="hidden">You</h2>
        <p>{turn.question}</p>
      </article>
      <article class="answer" aria-label={several ? `Answer of ${turn.model}` : 'Answer'} aria-busy={writing}>
        <h2 class={several ? 'by' : 'hidden'}>{turn.model}</h2>
        {thought !== '' && <Thought text={thought} open={said === '' && writing} />}
        {said !== '' && <Markdown text={said} />}
        {writing && said === '' && thought === '' && (
          <p class="waiting">
            <i />
            <i />
            <i />
            <span class="hidden">The model reads the question.</span>
          </p>
        )}
        {failure && <FailureNote failure={failure} onRetry={open ? onRetry : undefined} />}
        <div class="under">
          {figures && figures.tokens > 0 && <Figures figures={figures} end={end} />}
          {!writing && (
            <div class="tools">
              {said !== '' && <CopyButton text={said} what="answer" />}
              {open && !failure && (
                <button type="button" class="quiet" title="Answer again" onClick={onRetry}>
                  <Icon name="retry" />
                  Retry
                </button>
              )}
              {open && (
                <button type="button" class="quiet" title="Take the question back and change it" onClick={onEdit}>
                  <Icon name="edit" />
                  Edit
                </button>
              )}
            </div>
          )}
        </div>
      </article>
    </li>
  )
}
