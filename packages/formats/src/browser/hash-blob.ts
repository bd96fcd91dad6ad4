import { blobSource } from '@awq/tensor'
import { sha256 } from '#sha256'

/** SHA-256 of a Blob or File, in hexadecimal. */
export const hashBlob = (blob: Blob, options?: { readonly signal?: AbortSignal | undefined }): Promise<string> =>
  sha256(blobSource(blob), options)
