/** Generates with transformers.js in Node. Reads a job and { root, folder } from stdin, prints what generateWith returns. */
import { basename, dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { generateWith } from './transformersjs-generate.mjs'

const job = JSON.parse(await text(process.stdin))
const library = await import(`${job.root}/node_modules/@huggingface/transformers/dist/transformers.node.mjs`)
library.env.allowRemoteModels = false
library.env.localModelPath = `${dirname(job.folder)}/`
console.log(JSON.stringify(await generateWith(library, basename(job.folder), job)))
