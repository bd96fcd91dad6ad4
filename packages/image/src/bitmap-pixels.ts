import { AwqError } from '@awq/tensor'

type Pixels = Uint8Array<ArrayBufferLike>

/** RGBA through a canvas, which keeps colours multiplied by alpha: those of fully transparent pixels are lost. */
export function pixelsByCanvas(bitmap: ImageBitmap, name: string): Pixels {
  const { width, height } = bitmap
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })
  if (context === null) throw new AwqError('UNSUPPORTED', `${name}: this browser gives no canvas to read pixels from`)
  context.drawImage(bitmap, 0, 0)
  const { data } = context.getImageData(0, 0, width, height)
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** RGBA through a texture, which keeps colours as they are; undefined where there is no WebGL 2, or the image is too large for it. */
export function pixelsByTexture(bitmap: ImageBitmap): Pixels | undefined {
  const { width, height } = bitmap
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2')
  if (gl === null) return undefined
  try {
    if (Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return undefined
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false)
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE)
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap)
    const texture = gl.getParameter(gl.TEXTURE_BINDING_2D)
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer())
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0)
    if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return undefined
    const pixels = new Uint8Array(width * height * 4)
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels)
    return gl.getError() === gl.NO_ERROR ? pixels : undefined
  } finally {
    gl.getExtension('WEBGL_lose_context')?.loseContext()
  }
}

/** Whether a pixel is not opaque. */
export function hasAlpha(pixels: Pixels): boolean {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true
  return false
}
