// Photos from a phone's camera, made small enough for a plant's link before they are sent.

const LONGEST_PX = 1600
const QUALITY = 0.82

/** Writes lines on the foot of a picture, white on a dark band, so that they are read on any ground. */
function stamp(pen: CanvasRenderingContext2D, lines: readonly string[], width: number, height: number): void {
  const size = Math.max(11, Math.round(Math.min(width, height) / 28))
  const step = Math.round(size * 1.4)
  const band = step * lines.length + size
  pen.fillStyle = 'rgb(0 0 0 / 62%)'
  pen.fillRect(0, height - band, width, band)
  pen.fillStyle = '#fff'
  pen.font = `600 ${size}px sans-serif`
  pen.textBaseline = 'top'
  lines.forEach((line, i) => pen.fillText(line, size, height - band + size / 2 + i * step, width - 2 * size))
}

/**
 * A picture of at most 1600 pixels as JPEG, turned the right way up; place and other camera data are gone with it. Lines, if there
 * are any, are written on its foot.
 */
export async function shrink(file: Blob, lines: readonly string[] = []): Promise<Blob> {
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' })
  const scale = Math.min(1, LONGEST_PX / Math.max(picture.width, picture.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(picture.width * scale))
  canvas.height = Math.max(1, Math.round(picture.height * scale))
  const pen = canvas.getContext('2d')
  if (!pen) throw new Error('no canvas')
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height)
  picture.close()
  if (lines.length) stamp(pen, lines, canvas.width, canvas.height)
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no picture'))), 'image/jpeg', QUALITY)
  })
}

/** An id that nobody else makes; works on pages that are not served over TLS too. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('')
}
