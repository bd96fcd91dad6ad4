import { duration } from '../../browser-shared/format.ts'
import type { Turn } from './chat.ts'

const endings: Record<string, string> = { length: 'cut off by its length', stop: 'stopped' }

interface Props {
  readonly turn: Turn
  readonly converses: boolean
  readonly busy: boolean
}

/** One question with its answer; where the model continues texts, both are one text. */
export const TurnView = ({ turn: { question, answer, result, note }, converses, busy }: Props) => (
  <li class={converses ? 'turn' : 'turn story'} aria-busy={busy}>
    {converses && <p class="question">{question}</p>}
    <p class="answer">
      {!converses && <b>{question}</b>}
      {answer}
      {busy && <span class="caret" />}
    </p>
    {result && (
      <ul class="facts" aria-label="Figures">
        <li>
          <b>{(result.newTokens / result.seconds).toFixed(0)}</b> tokens/s
        </li>
        <li>first after {duration(result.firstTokenSeconds)}</li>
        <li>{result.newTokens} tokens</li>
        {result.reusedTokens > 0 && (
          <li>
            {result.reusedTokens} of {result.promptTokens} prompt tokens were still in memory
          </li>
        )}
        {endings[result.finishReason] && <li>{endings[result.finishReason]}</li>}
      </ul>
    )}
    {note && <p class="turn-note">{note}</p>}
  </li>
)
