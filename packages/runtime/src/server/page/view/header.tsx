import type { Chat, ChatState } from '../chat.ts'
import { FactLine } from './facts.tsx'
import { useMedia } from './hooks.ts'
import { Icon } from './icon.tsx'

/** What the header needs. */
export interface HeaderProps {
  readonly chat: Chat
  readonly state: ChatState
  /** There is no room for the list beside the conversation. */
  readonly narrow: boolean
  readonly onList: () => void
  readonly onBegin: () => void
  readonly onSettings: () => void
}

const ModelChoice = ({ chat, state }: { chat: Chat; state: ChatState }) => {
  const { models, model } = state
  if (!model) return null
  if (models.length === 1) {
    return (
      <p class="model" title={model.id}>
        <span class="hidden">Model: </span>
        {model.id}
      </p>
    )
  }
  return (
    <>
      <label class="hidden" for="model">
        Model
      </label>
      <select id="model" class="model" value={model.id} onChange={(event) => chat.useModel(event.currentTarget.value)}>
        {models.map(({ id }) => (
          <option value={id}>{id}</option>
        ))}
      </select>
    </>
  )
}

const ThemeButton = ({ chat, state }: { chat: Chat; state: ChatState }) => {
  const system = useMedia('(prefers-color-scheme: dark)') ? 'dark' : 'light'
  const { theme } = state.settings
  const now = theme === 'system' ? system : theme
  const next = now === 'dark' ? 'light' : 'dark'
  return (
    <button
      type="button"
      class="icon-button"
      title={next === 'dark' ? 'Dark colours' : 'Light colours'}
      // What the system has is followed again.
      onClick={() => chat.change({ theme: next === system ? 'system' : next })}
    >
      <Icon name={next === 'dark' ? 'moon' : 'sun'} />
      <span class="hidden">{next === 'dark' ? 'Dark colours' : 'Light colours'}</span>
    </button>
  )
}

/** The head of the page: which model, and the page's own buttons. */
export const Header = ({ chat, state, narrow, onList, onBegin, onSettings }: HeaderProps) => (
  <header class="head">
    {narrow && (
      <button type="button" class="icon-button" title="Conversations" aria-haspopup="dialog" onClick={onList}>
        <Icon name="menu" />
        <span class="hidden">Conversations</span>
      </button>
    )}
    <ModelChoice chat={chat} state={state} />
    {state.model && !narrow && <FactLine model={state.model} />}
    <span class="space" />
    {narrow && (
      <button type="button" class="icon-button" title="New conversation" onClick={onBegin}>
        <Icon name="plus" />
        <span class="hidden">New conversation</span>
      </button>
    )}
    <ThemeButton chat={chat} state={state} />
    <button type="button" class="icon-button" title="Settings" aria-haspopup="dialog" onClick={onSettings}>
      <Icon name="tune" />
      <span class="hidden">Settings</span>
    </button>
  </header>
)
