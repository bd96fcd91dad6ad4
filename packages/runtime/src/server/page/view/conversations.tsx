import { useRef } from 'preact/hooks'
import type { Chat, ChatState } from '../chat.ts'
import { titleOf } from '../conversation.ts'
import { Icon } from './icon.tsx'

/** What the list needs. */
export interface ConversationsProps {
  readonly chat: Chat
  readonly state: ChatState
  /** One was chosen or begun. */
  readonly onChosen: () => void
}

/** The conversations, and a button for another one. */
export const Conversations = ({ chat, state, onChosen }: ConversationsProps) => {
  const { conversations, current } = state
  const first = useRef<HTMLButtonElement>(null)
  return (
    <>
      <button
        type="button"
        class="begin"
        ref={first}
        onClick={() => {
          chat.begin()
          onChosen()
        }}
      >
        <Icon name="plus" />
        New conversation
      </button>
      {conversations.length > 0 && (
        <ul class="conversations" aria-label="Conversations">
          {conversations.map((conversation) => {
            const title = titleOf(conversation)
            return (
              <li key={conversation.id}>
                <button
                  type="button"
                  class="title"
                  aria-current={conversation.id === current.id ? 'true' : undefined}
                  onClick={() => {
                    chat.open(conversation.id)
                    onChosen()
                  }}
                >
                  {title}
                </button>
                <button
                  type="button"
                  class="icon-button small"
                  title="Delete this conversation"
                  onClick={() => {
                    chat.remove(conversation.id)
                    // The button that had the focus is gone.
                    first.current?.focus()
                  }}
                >
                  <Icon name="close" />
                  <span class="hidden">Delete {title}</span>
                </button>
              </li>
            )
          })}
        </ul>
      )}
    </>
  )
}
