/**
 * Lets the event loop turn, so that an abort or a server's other requests get through between pieces of work that block
 * the thread.
 */
export const turnEventLoop = (): Promise<void> =>
  new Promise((resolve) => {
    const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate
    if (immediate) immediate(resolve)
    else setTimeout(resolve, 0)
  })
