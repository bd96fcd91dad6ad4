/**
 * The service worker as the page sees it.
 * @module
 */

const controlled = (): Promise<void> =>
  new Promise((resolve) => {
    if (navigator.serviceWorker.controller) resolve()
    else navigator.serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true })
  })

/**
 * Registers the service worker of the build, and waits until it answers for this page, so that all the page loads from now
 * on is kept. Where the host sends no headers for isolation the page is loaded a second time, with those of the worker.
 * Resolves to false where there is no service worker.
 */
export const keepOffline = async (): Promise<boolean> => {
  if (!('serviceWorker' in navigator)) return false
  try {
    await navigator.serviceWorker.register(new URL('service-worker.js', document.baseURI), { type: 'module' })
    await controlled()
  } catch {
    // There is none in development, and some browsers forbid them: the page works all the same.
    return false
  }
  if (!crossOriginIsolated && sessionStorage.getItem('reloaded') === null) {
    sessionStorage.setItem('reloaded', 'once')
    location.reload()
    return new Promise(() => {})
  }
  return true
}
