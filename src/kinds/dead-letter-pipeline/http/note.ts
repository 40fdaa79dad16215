import type { Condition } from './application.ts'

/**
 * What stands beside the committed offset of a source: how the calls go, and what is finished above the offset. The operator reads the former, the next
 * owner the latter.
 */
export interface Note {
  readonly condition: Condition
  /** Class of the last failure; empty when all is well. */
  readonly lastError: string
  /** Records that wait, or stand behind another one of their key, as of a commit for another reason. */
  readonly blocked: number
  /** The partition reads no further: as much waits as may. */
  readonly full: boolean
  readonly finished: string
}

const FORMAT = 'calls1'
const CONDITIONS: readonly Condition[] = ['well', 'failing', 'open', 'forbidden']

export const encodeNote = ({ condition, lastError, blocked, full, finished }: Note): string =>
  [FORMAT, condition, lastError === '' ? '-' : lastError, blocked, full ? 'full' : '-', finished].join(' ')

/** undefined: somebody else wrote it. */
export function decodeNote(text: string): Note | undefined {
  const [format, told, lastError = '-', blocked, full, finished = ''] = text.split(' ')
  const condition = CONDITIONS.find(each => each === told)
  if (format !== FORMAT || condition === undefined) return undefined
  return { condition, lastError: lastError === '-' ? '' : lastError, blocked: Number(blocked), full: full === 'full', finished }
}
