/**
 * Lets the event loop turn, so that an abort or a server's other requests get through between pieces of work that block
 * the thread.
 */
export const turnEventLoop = (): Promise<void> =>
  new Promise((resolve) => {
    const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate
    if (immediate) {
      immediate(resolve)
      return
    }
    // Browsers make timers wait for 4 milliseconds when they follow each other; messages come at once.
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
