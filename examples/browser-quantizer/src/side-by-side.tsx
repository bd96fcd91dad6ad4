import type { GenerationResult, LanguageModel } from '@awq/runtime'
import type { Folder } from '@awq/tensor'
import { useEffect, useRef, useState } from 'preact/hooks'
import { duration, messageOf } from '../../browser-shared/format.ts'
import type { PageDevice } from '../../browser-shared/machine.ts'
import { openWriter, write } from './quantizer.ts'

interface Props {
  readonly before: Folder
  readonly after: Folder
  readonly device: PageDevice
  readonly bits: number
}

interface Side {
  readonly text: string
  readonly state: 'waiting' | 'loading' | 'writing' | 'done'
  readonly result?: GenerationResult
}

const idle: readonly [Side, Side] = [
  { text: '', state: 'waiting' },
  { text: '', state: 'waiting' },
]

/** Both models continue the same text, one after the other, so that each has the whole machine. */
export const SideBySide = ({ before, after, device, bits }: Props) => {
  const [prompt, setPrompt] = useState('Once upon a time')
  const [sides, setSides] = useState<readonly [Side, Side]>(idle)
  const [failure, setFailure] = useState<string>()
  const [busy, setBusy] = useState(false)
  const models = useRef<[LanguageModel?, LanguageModel?]>([])
  const stop = useRef(new AbortController())
  useEffect(
    () => () => {
      stop.current.abort()
      for (const model of models.current) void model?.dispose()
    },
    [],
  )

  const compare = async (event: Event): Promise<void> => {
    event.preventDefault()
    stop.current = new AbortController()
    const { signal } = stop.current
    const shown: [Side, Side] = [...idle]
    const show = (side: 0 | 1, change: Partial<Side>): void => {
      shown[side] = { ...shown[side], ...change }
      setSides([...shown])
    }
    setBusy(true)
    setFailure(undefined)
    setSides(idle)
    try {
      for (const side of [0, 1] as const) {
        show(side, { state: 'loading' })
        models.current[side] ??= await openWriter([before, after][side]!, device, signal)
        show(side, { state: 'writing' })
        const pieces = write(models.current[side], prompt, signal)
        let next = await pieces.next()
        for (; !next.done; next = await pieces.next()) show(side, { text: shown[side].text + next.value })
        show(side, { state: 'done', result: next.value })
      }
    } catch (error) {
      if (!signal.aborted) setFailure(messageOf(error))
    } finally {
      setBusy(false)
    }
  }

  return (
    <section class="compare">
      <h2>Before and after</h2>
      <form class="row" onSubmit={compare}>
        <label class="hidden" for="prompt">
          The beginning of a text
        </label>
        <input id="prompt" type="text" value={prompt} onInput={(event) => setPrompt(event.currentTarget.value)} />
        {busy ? (
          <button type="button" onClick={() => stop.current.abort()}>
            Stop
          </button>
        ) : (
          <button type="submit" class="main" disabled={prompt.trim() === ''}>
            Let both write
          </button>
        )}
      </form>
      {failure && (
        <p class="note" role="alert">
          {failure}
        </p>
      )}
      <div class="sides">
        {['before: float', `after: ${bits} bits`].map((title, index) => (
          <Written key={title} title={title} prompt={prompt} side={sides[index]!} other={sides[1 - index]!.text} />
        ))}
      </div>
    </section>
  )
}

/** How far two texts are the same. */
const commonLength = (a: string, b: string): number => {
  let length = 0
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++
  return length
}

const states = { waiting: '', loading: 'loading…', writing: 'writing…', done: '' }

const Written = ({ title, prompt, side, other }: { title: string; prompt: string; side: Side; other: string }) => {
  const { text, state, result } = side
  const same = other === '' ? text.length : commonLength(text, other)
  return (
    <article class="card" aria-label={title} aria-busy={state === 'loading' || state === 'writing'}>
      <h3>
        {title} <small>{states[state]}</small>
      </h3>
      {text !== '' && (
        <p class="written">
          <b>{prompt}</b>
          {text.slice(0, same)}
          <mark>{text.slice(same)}</mark>
        </p>
      )}
      {result && (
        <ul class="facts">
          <li>{(result.newTokens / result.seconds).toFixed(0)} tokens/s</li>
          <li>first after {duration(result.firstTokenSeconds)}</li>
        </ul>
      )}
    </article>
  )
}
