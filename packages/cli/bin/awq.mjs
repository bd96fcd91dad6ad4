#!/usr/bin/env node
import { existsSync } from 'node:fs'

const entry = new URL('../dist/index.js', import.meta.url)
if (existsSync(entry)) {
  const { main } = await import(entry.href)
  process.exitCode = await main(process.argv.slice(2))
  // Everything is done: a connection that is still closing must not hold the shell's prompt back.
  setTimeout(() => process.exit(), 1000).unref()
} else {
  console.error('awq: this clone is not built yet: run npm ci, or npm run build')
  process.exitCode = 1
}
