import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FIXTURES = join(import.meta.dirname, '../fixtures')

/** A file that must be refused, and what must be said about it: the first line names the field and a part of the message. */
export interface InvalidFixture {
  readonly file: string
  readonly text: string
  readonly severity: 'error' | 'warning'
  /** undefined: the message is about the file or a document as a whole. */
  readonly field?: string
  readonly message: string
  /** The API server cannot see it: it is about YAML, about several resources, or beyond CEL. */
  readonly offlineOnly: boolean
}

const FIELD = /^((?:apiVersion|kind|metadata|spec)(?:[.[][^:]*)?): (.+)$/

export const invalidFixtures = (folder: 'invalid' | 'invalid-updates'): readonly InvalidFixture[] =>
  readdirSync(join(FIXTURES, folder))
    .sort()
    .map(file => read(folder, file))

function read(folder: string, file: string): InvalidFixture {
  const text = readFileSync(join(FIXTURES, folder, file), 'utf8')
  const [, kind, expected] = /^# expect(-warning)?: (.+)$/m.exec(text) ?? []
  if (expected === undefined) throw new Error(`${file} does not say on its first line what to expect`)
  const [, field, message = expected] = FIELD.exec(expected) ?? []
  return {
    file,
    text,
    severity: kind === undefined ? 'error' : 'warning',
    ...(field !== undefined && { field }),
    message,
    offlineOnly: /^# offline-only$/m.test(text),
  }
}
