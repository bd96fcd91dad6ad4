import { type Conversation, readConversations } from './conversation.ts'
import { readSettings, type Settings } from './settings.ts'

/** What the page remembers. Browsers may forbid any of it: then it is forgotten with the page. */
export interface Memory {
  settings(): Settings
  saveSettings(settings: Settings): void
  conversations(): Conversation[]
  /** Keeps conversations for this tab, or, with `keep`, for this browser. */
  saveConversations(conversations: readonly Conversation[], keep: boolean): void
  key(): string | undefined
  saveKey(key: string | undefined): void
  model(): string | undefined
  saveModel(model: string): void
}

const names = { settings: 'awq.settings', conversations: 'awq.conversations', key: 'awq.key', model: 'awq.model' }

/** A memory in the stores of a browser: the key stays in the tab's, conversations too unless they are to be kept. */
export const createMemory = (tab: () => Storage, browser: () => Storage): Memory => {
  const read = (store: () => Storage, name: string): unknown => {
    try {
      return JSON.parse(store().getItem(name) ?? 'null')
    } catch {
      return null
    }
  }
  const write = (store: () => Storage, name: string, value: unknown): boolean => {
    try {
      if (value === undefined) store().removeItem(name)
      else store().setItem(name, JSON.stringify(value))
      return true
    } catch {
      return false
    }
  }
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
  return {
    settings: () => readSettings(read(browser, names.settings)),
    saveSettings: (settings) => void write(browser, names.settings, settings),
    conversations: () => {
      const here = readConversations(read(tab, names.conversations))
      return here.length > 0 ? here : readConversations(read(browser, names.conversations))
    },
    saveConversations(conversations, keep) {
      const kept = conversations.length === 0 ? undefined : conversations
      // A full store loses the oldest conversations first.
      const save = (store: () => Storage): void => {
        for (let count = conversations.length; count > 0; count = Math.floor(count / 2)) {
          if (write(store, names.conversations, conversations.slice(0, count))) return
        }
      }
      for (const [store, used] of [
        [tab, true],
        [browser, keep],
      ] as const) {
        if (kept && used) save(store)
        else write(store, names.conversations, undefined)
      }
    },
    key: () => text(read(tab, names.key)),
    saveKey: (key) => void write(tab, names.key, key),
    model: () => text(read(browser, names.model)),
    saveModel: (model) => void write(browser, names.model, model),
  }
}
