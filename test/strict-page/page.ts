/** A page as strict as a page can be: loads the model beside it on the device that its address names, and writes. */
import { loadModel } from '@awq/runtime/browser'

declare global {
  interface Window {
    /** What the page came to. */
    outcome: Promise<unknown>
    /** What the browser forbade. */
    violations: string[]
  }
}

window.violations = []
document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) =>
  window.violations.push(`${violatedDirective}: ${blockedURI} in ${sourceFile}`),
)

const write = async (): Promise<unknown> => {
  const device = new URL(location.href).searchParams.get('device') === 'webgpu' ? 'webgpu' : 'cpu'
  const stages: string[] = []
  await using model = await loadModel('model', {
    device,
    accuracy: 'exact',
    onProgress: (event) => stages.push(event.stage),
    onWarning: (message) => stages.push(message),
  })
  const { text } = await model.generate({ prompt: 'Once upon a time' }, { maxNewTokens: 20 }).result
  return { text, isolated: crossOriginIsolated, device: model.opened.engine.device, stages: [...new Set(stages)] }
}

window.outcome = write().catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }))
