/**
 * Pictures as this page has them: files, whether chosen, dropped, pasted or taken.
 * @module
 */

/** A picture that is shown. */
export interface Picture {
  readonly name: string
  /** What the model is given. */
  readonly file: Blob
  /** What the page shows; of this page alone. */
  readonly url: string
}

/** A picture of a file. Release it (`forgetPicture`) when nothing shows it any more. */
export const pictureOf = (file: Blob, name: string): Picture => ({ name, file, url: URL.createObjectURL(file) })

export const forgetPicture = ({ url }: Picture): void => URL.revokeObjectURL(url)

/** The first picture among files. */
export const pictureAmong = (files: readonly File[]): Picture | undefined => {
  const file = files.find(({ type }) => type.startsWith('image/')) ?? files[0]
  return file && pictureOf(file, file.name || 'a pasted picture')
}

/** What a camera shows, as a file without losses: the model sees what is shown. */
export const frameOf = async (video: HTMLVideoElement): Promise<Picture> => {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight)
  canvas.getContext('2d')!.drawImage(video, 0, 0)
  return pictureOf(await canvas.convertToBlob({ type: 'image/png' }), 'a picture of the camera')
}
