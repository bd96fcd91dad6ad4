import { render } from 'preact'
import { rememberTheme } from '../../browser-shared/frame.tsx'
import { lookAtMachine } from '../../browser-shared/machine.ts'
import { keepOffline } from '../../browser-shared/offline.ts'
import { App } from './app.tsx'

rememberTheme()
const offline = await keepOffline()
render(<App machine={await lookAtMachine()} offline={offline} />, document.getElementById('app')!)
