import { render } from 'preact'
import { rememberTheme } from '../../browser-shared/frame.tsx'
import { lookAtMachine } from '../../browser-shared/machine.ts'
import { keepOffline } from '../../browser-shared/offline.ts'
import { App } from './app.tsx'

rememberTheme()
const offline = await keepOffline()
const machine = await lookAtMachine()
const place = document.getElementById('app')!
place.replaceChildren()
render(<App machine={machine} offline={offline} />, place)
