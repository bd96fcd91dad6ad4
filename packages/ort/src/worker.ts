/**
 * The program of an engine's Worker.
 * @module
 */
import { type Endpoint, serveEngine } from './web/worker/serve.ts'

serveEngine(globalThis as unknown as Endpoint)
