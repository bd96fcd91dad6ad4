import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Chat, ChatState } from '../chat.ts'
import { titleOf } from '../conversation.ts'
import { Composer } from './composer.tsx'
import { Conversations } from './conversations.tsx'
import { Dialog } from './dialog.tsx'
import { Header } from './header.tsx'
import { useChat, useMedia } from './hooks.ts'
import { Icon } from './icon.tsx'
import { SettingsPanel } from './settings-panel.tsx'
import { TurnView } from './turn.tsx'
import { Disconnected, KeyForm, Welcome } from './welcome.tsx'

/** Pixels from the end at which the page still follows a growing answer. */
const nearEnd = 64

/** Follows the end of a growing page until somebody scrolls away from it. */
const useFollow = (state: ChatState): { away: boolean; follow: () => void } => {
  const [away, setAway] = useState(false)
  const following = useRef(true)
  const toEnd = (): void => scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })
  const follow = useCallback(() => {
    following.current = true
    setAway(false)
    toEnd()
  }, [])
  useEffect(() => {
    const read = (): void => {
      const { scrollHeight } = document.documentElement
      following.current = scrollY + innerHeight >= scrollHeight - nearEnd
      setAway(!following.current)
    }
    addEventListener('scroll', read, { passive: true })
    return () => removeEventListener('scroll', read)
  }, [])
  useLayoutEffect(() => {
    if (following.current) toEnd()
  }, [state.current, state.writing])
  return { away, follow }
}

/** The whole page. */
export const App = ({ chat }: { chat: Chat }) => {
  const state = useChat(chat)
  const { connection, current, model, models, settings, spoken, writing } = state
  const [draft, setDraft] = useState('')
  const [drawer, setDrawer] = useState<'list' | 'settings'>()
  const field = useRef<HTMLTextAreaElement>(null)
  const narrow = useMedia('(max-width: 899px)')
  const precise = useMedia('(pointer: fine)')
  const { away, follow } = useFollow(state)

  /** Where nothing is typed on glass, the field has the focus whenever what had it is gone. */
  const focusField = useCallback((): void => {
    if (precise) field.current?.focus()
  }, [precise])

  useEffect(() => {
    void chat.connect()
  }, [chat])
  useEffect(() => {
    if (connection !== 'key') focusField()
  }, [focusField, connection])
  useEffect(() => {
    if (settings.theme === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = settings.theme
  }, [settings.theme])
  useEffect(() => {
    document.title = [titleOf(current), model?.id ?? 'awq'].filter((words) => words !== '').join(' – ')
  }, [current, model])
  useEffect(() => {
    const stop = (event: KeyboardEvent): void => {
      // In a dialog, Escape closes it.
      if (event.key !== 'Escape' || event.isComposing || document.querySelector('dialog[open]')) return
      chat.stop()
    }
    addEventListener('keydown', stop)
    return () => removeEventListener('keydown', stop)
  }, [chat])

  const send = (): void => {
    if (!chat.send(draft)) return
    setDraft('')
    focusField()
    follow()
  }
  const retry = useCallback((): void => {
    chat.retry()
    focusField()
    follow()
  }, [chat, focusField, follow])
  const edit = useCallback((): void => {
    setDraft(chat.takeBack())
    field.current?.focus()
  }, [chat])
  const chosen = (): void => {
    setDrawer(undefined)
    // After the dialog has given the focus back.
    setTimeout(() => {
      focusField()
      follow()
    })
  }
  const list = <Conversations chat={chat} state={state} onChosen={chosen} />
  const last = current.turns.at(-1)

  return (
    <>
      <a class="skip" href="#draft">
        Skip to your message
      </a>
      {!narrow && (
        <nav class="side" aria-label="Conversations">
          <p class="brand">awq</p>
          {list}
        </nav>
      )}
      <div class="column">
        <Header
          chat={chat}
          state={state}
          narrow={narrow}
          onList={() => setDrawer('list')}
          onBegin={() => {
            chat.begin()
            focusField()
          }}
          onSettings={() => setDrawer('settings')}
        />
        <main>
          {current.turns.length > 0 && (
            <>
              <h1 class="hidden">{titleOf(current)}</h1>
              <ol class="turns">
                {current.turns.map((turn) => (
                  <TurnView
                    key={`${current.id}.${turn.id}`}
                    turn={turn}
                    open={turn === last && !writing && connection === 'ready'}
                    several={models.length > 1}
                    onRetry={retry}
                    onEdit={edit}
                  />
                ))}
              </ol>
            </>
          )}
          {connection === 'key' && <KeyForm chat={chat} state={state} />}
          {(connection === 'failed' || connection === 'connecting') && <Disconnected chat={chat} state={state} />}
          {connection === 'ready' && current.turns.length === 0 && (
            <Welcome
              state={state}
              onChoose={(text) => {
                setDraft(text)
                field.current?.focus()
              }}
            />
          )}
        </main>
        <div class="foot">
          {away && (
            <button type="button" class="to-end" title="To the end" onClick={follow}>
              <Icon name="down" />
              <span class="hidden">To the end</span>
            </button>
          )}
          <Composer
            field={field}
            draft={draft}
            writing={writing}
            ready={model !== undefined && connection === 'ready'}
            continues={model?.chat === false}
            onDraft={setDraft}
            onSend={send}
            onStop={() => {
              chat.stop()
              focusField()
            }}
          />
        </div>
      </div>
      <div class="hidden" role="log" aria-label="What the model writes" aria-live="polite" aria-relevant="additions">
        {spoken.map(({ id, text }) => (
          <p key={id}>{text}</p>
        ))}
      </div>
      {drawer === 'list' && narrow && (
        <Dialog title="Conversations" side="left" onClose={() => setDrawer(undefined)}>
          {list}
        </Dialog>
      )}
      {drawer === 'settings' && (
        <Dialog title="Settings" side="right" onClose={() => setDrawer(undefined)}>
          <SettingsPanel chat={chat} state={state} />
        </Dialog>
      )}
    </>
  )
}
