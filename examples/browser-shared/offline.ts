/**
 * The service worker as the page sees it.
 * @module
 */
import { likelyDevice, lookAtMachine } from './machine.ts'

const controlled = (): Promise<void> =>
  new Promise((resolve) => {
    if (navigator.serviceWorker.controller) resolve()
    else navigator.serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true })
  })

/**
 * Registers the service worker of the build. At the first visit it waits until it answers for this page, so that all the
 * page loads from then on is kept; and where the host sends no headers for isolation, the page is loaded a second time,
 * with those of the worker. Resolves to false where no service worker answers: in development, in browsers that forbid it,
 * or after a reload that goes past it.
 */
export const keepOffline = async (): Promise<boolean> => {
  // There only in development.
  if ((import.meta as { hot?: object }).hot) return false
  try {
    const address = new URL('service-worker.js', document.baseURI)
    const registration = await navigator.serviceWorker.register(address, { type: 'module' })
    if (!registration.active) await controlled()
  } catch {
    return false
  }
  if (!navigator.serviceWorker.controller) return false
  if (!crossOriginIsolated && sessionStorage.getItem('reloaded') === null) {
    sessionStorage.setItem('reloaded', 'once')
    location.reload()
    return new Promise(() => {})
  }
  return true
}

/**
 * Has the engine kept for the device that the page is likely to compute on, as `bundleFiles` of @awq/ort chooses it. Resolves to
 * whether it is there: from then on the page works without a network.
 */
export const keepEngine = async (): Promise<boolean> => {
  const device = likelyDevice(await lookAtMachine())
  const waits = 'Suspending' in WebAssembly ? 'jspi' : 'asyncify'
  const engine = `ort-wasm-simd-threaded${device === 'cpu' ? '' : `.${waits}`}`
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }: MessageEvent<boolean>) => resolve(data)
    navigator.serviceWorker.controller?.postMessage({ keep: engine }, [port2])
  })
}

/** What to tell a person when loading failed for want of a network; undefined where that is not why. */
export const offlineAdvice = (message: string): string | undefined =>
  !navigator.onLine && message.startsWith('onnxruntime-web did not load')
    ? 'There is no network, and this browser has not kept what this device computes with. Choose the other device, or connect and try again.'
    : undefined
