import { render } from 'preact'
import { createApi } from './api.ts'
import { createChat } from './chat.ts'
import { createMemory } from './memory.ts'
import { App } from './view/app.tsx'

const chat = createChat({
  // Relative to the page, so that it works wherever it is mounted, with a slash at its end or without.
  api: createApi(document.baseURI.replace(/[?#].*/, '').replace(/\/*$/, '/'), (...request) => fetch(...request)),
  memory: createMemory(
    () => sessionStorage,
    () => localStorage,
  ),
})
render(<App chat={chat} />, document.getElementById('app')!)
