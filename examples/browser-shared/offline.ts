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
