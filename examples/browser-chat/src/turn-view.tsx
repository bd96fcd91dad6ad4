import { Figures } from '../../browser-shared/figures.tsx'
import type { Turn } from './chat.ts'

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
    {result && <Figures result={result} />}
    {note && <p class="turn-note">{note}</p>}
  </li>
)
