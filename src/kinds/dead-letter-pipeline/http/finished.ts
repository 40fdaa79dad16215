/** Offsets from `from` to before `to`. */
export interface Range {
  readonly from: number
  readonly to: number
}

/**
 * Brokers take 4,096 bytes beside an offset; some belong to the kernel: its transactional id, and why a task was stopped. In base64 this many become
 * 2,400.
 */
const MOST_BYTES = 1_800
const RUNS = 1
const BITMAP = 2
/** So far above the lowest unfinished offset, whatever is finished there fits into the note. */
export const SPAN = (MOST_BYTES - 1) * 8

/**
 * What is finished above a position, in text: the lengths of what is not and what is, in turn, or a bit for each offset, whichever is shorter. What does not
 * fit is left out, from the far end.
 */
export function encodeFinished(position: number, finished: readonly Range[]): string {
  const last = finished.at(-1)
  if (last === undefined) return ''
  const bitmapBytes = Math.ceil((last.to - position) / 8)
  const runs = encodeRuns(position, finished, Math.min(bitmapBytes, MOST_BYTES - 1))
  const bytes = runs ?? encodeBitmap(position, finished, Math.min(bitmapBytes, MOST_BYTES - 1))
  return bytes.toString('base64')
}

/** @returns nothing of a note that is not ours: all above the position counts as unfinished. */
export function decodeFinished(position: number, text: string): readonly Range[] {
  const bytes = Buffer.from(text, 'base64')
  if (bytes[0] === RUNS) return decodeRuns(position, bytes)
  return bytes[0] === BITMAP ? decodeBitmap(position, bytes) : []
}

/** undefined: longer than that. */
function encodeRuns(position: number, finished: readonly Range[], mostBytes: number): Buffer | undefined {
  const bytes = [RUNS]
  let at = position
  for (const { from, to } of finished) {
    if (bytes.length > mostBytes) return undefined
    pushNumber(bytes, from - at)
    pushNumber(bytes, to - from)
    at = to
  }
  return bytes.length - 1 > mostBytes ? undefined : Buffer.from(bytes)
}

function decodeRuns(position: number, bytes: Buffer): readonly Range[] {
  const finished: Range[] = []
  let at = position
  let number = 0
  let scale = 1
  let from: number | undefined
  for (const byte of bytes.subarray(1)) {
    number += (byte & 0x7f) * scale
    scale *= 128
    if (byte >= 0x80) continue
    at += number
    number = 0
    scale = 1
    if (from === undefined) from = at
    else {
      finished.push({ from, to: at })
      from = undefined
    }
  }
  return finished
}

function encodeBitmap(position: number, finished: readonly Range[], length: number): Buffer {
  const bytes = Buffer.alloc(1 + length)
  bytes[0] = BITMAP
  const end = position + 8 * length
  for (const { from, to } of finished) {
    for (let offset = from; offset < Math.min(to, end); offset++) {
      const bit = offset - position
      const at = 1 + (bit >> 3)
      bytes[at] = (bytes[at] ?? 0) | (1 << (bit & 7))
    }
  }
  return bytes
}

function decodeBitmap(position: number, bytes: Buffer): readonly Range[] {
  const finished: Range[] = []
  const bits = (bytes.length - 1) * 8
  let from: number | undefined
  for (let bit = 0; bit <= bits; bit++) {
    const isSet = bit < bits && ((bytes[1 + (bit >> 3)] ?? 0) & (1 << (bit & 7))) !== 0
    if (isSet) from ??= position + bit
    else if (from !== undefined) {
      finished.push({ from, to: position + bit })
      from = undefined
    }
  }
  return finished
}

/** Seven bits a byte, the lowest first, as Kafka has it. */
function pushNumber(bytes: number[], number: number): void {
  let left = number
  while (left >= 128) {
    bytes.push((left % 128) + 128)
    left = Math.floor(left / 128)
  }
  bytes.push(left)
}
