#!/usr/bin/env node
import { main } from '../dist/index.js'

process.exitCode = await main(process.argv.slice(2))
// Everything is done: a connection that is still closing must not hold the shell's prompt back.
setTimeout(() => process.exit(), 1000).unref()
