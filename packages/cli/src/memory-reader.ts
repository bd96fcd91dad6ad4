/**
 * A process of its own that reads memory as fast as one core can: started by memory-read.ts, once per thread.
 *
 * `node memory-reader BYTES` fills a buffer, sends `ready`, and answers every message by the seconds that one reading of
 * the buffer took. The C library's search for a byte that is not there reads at the speed of the memory, and nothing in
 * JavaScript does.
 */
const buffer = Buffer.allocUnsafeSlow(Number(process.argv[2])).fill(1)

process.on('message', () => {
  const started = performance.now()
  const found = buffer.indexOf(0)
  const seconds = (performance.now() - started) / 1000
  process.send?.({ seconds: found === -1 ? seconds : Number.NaN })
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
