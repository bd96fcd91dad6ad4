/**
 * What `#sha256` gives, in Node and in browsers.
 * @module
 */
import type { ByteSource } from '@awq/tensor'

/** SHA-256 of all bytes of a source, in hexadecimal. */
export type Sha256 = (source: ByteSource, options?: { readonly signal?: AbortSignal | undefined }) => Promise<string>
