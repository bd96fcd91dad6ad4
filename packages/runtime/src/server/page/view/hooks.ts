import { useEffect, useRef, useState } from 'preact/hooks'
import type { Chat, ChatState } from '../chat.ts'

/** The state of a chat, and a new view whenever it changes. */
export const useChat = (chat: Chat): ChatState => {
  const [state, setState] = useState(chat.state())
  useEffect(() => {
    setState(chat.state())
    return chat.subscribe(() => setState(chat.state()))
  }, [chat])
  return state
}

/** Whether a media query holds. */
export const useMedia = (query: string): boolean => {
  const [holds, setHolds] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const list = matchMedia(query)
    const update = (): void => setHolds(list.matches)
    update()
    list.addEventListener('change', update)
    return () => list.removeEventListener('change', update)
  }, [query])
  return holds
}

/** Something that is true for a moment. */
export const useMoment = (milliseconds = 1600): [boolean, () => void] => {
  const [on, setOn] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const begin = (): void => {
    clearTimeout(timer.current)
    setOn(true)
    timer.current = setTimeout(() => setOn(false), milliseconds)
  }
  return [on, begin]
}
