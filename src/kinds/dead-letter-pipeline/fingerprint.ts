import { hash } from 'node:crypto'

/** Longer messages differ in what follows, hardly in what failed. */
const MOST_CHARACTERS = 4096
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi
const HEX = /\b(?:0x[0-9a-f]+|[0-9a-f]{12,})\b/gi
const NUMBER = /[0-9]+/g
/** The first frame of Java, JavaScript and .NET; Python names the innermost frame last. */
const FRAME = /^\s*at .+$/m
const PYTHON_FRAME = /^\s*File ".+$/gm

/**
 * What failures of one cause have in common: class, message without numbers and ids, top frame. 16 hexadecimal digits.
 */
export function fingerprintOf(errorClass: string, message: string, stack: string): string {
  return hash('sha256', [errorClass, settled(message), settled(topFrame(stack))].join('\n'), 'hex').slice(0, 16)
}

function topFrame(stack: string): string {
  const head = stack.slice(0, 2 * MOST_CHARACTERS)
  return (FRAME.exec(head)?.[0] ?? head.match(PYTHON_FRAME)?.at(-1) ?? '').trim()
}

const settled = (text: string): string => text.slice(0, MOST_CHARACTERS).replace(UUID, '#').replace(HEX, '#').replace(NUMBER, '#')
