import { createHash } from 'node:crypto'
import type { LogReader } from '../kafka/log.ts'

/** Ids by topic: another id under the same name is another topic. One that is not known is absent. */
export type TopicIds = ReadonlyMap<string, string>

/** 24 bits of the name and 48 of the id, in base64url. Ids are random: their beginnings do not meet by chance. */
const NAME_LENGTH = 4
const ID_LENGTH = 8
const ENTRY_LENGTH = NAME_LENGTH + ID_LENGTH

/** As it is noted. */
const beginning = (id: string): string => id.slice(0, ID_LENGTH).padEnd(ID_LENGTH, '_')

const keys = new Map<string, string>()

function keyOf(topic: string): string {
  let key = keys.get(topic)
  if (key === undefined) {
    key = createHash('sha256').update(topic).digest('base64url').slice(0, NAME_LENGTH)
    keys.set(topic, key)
  }
  return key
}

/** What is noted of the ids of these topics, 12 characters for each that is known. */
export const encodeIds = (topics: readonly string[], ids: TopicIds): string =>
  topics
    .flatMap(topic => {
      const id = ids.get(topic)
      return id === undefined ? [] : [keyOf(topic) + beginning(id)]
    })
    .join('')

/** How the id of the topic began when it was noted; undefined: it was not. */
export function notedId(note: string, topic: string): string | undefined {
  const key = keyOf(topic)
  for (let at = 0; at + ENTRY_LENGTH <= note.length; at += ENTRY_LENGTH)
    if (note.startsWith(key, at)) return note.slice(at + NAME_LENGTH, at + ENTRY_LENGTH)
  return undefined
}

/** Whether two ids are the same, as far as was noted of one of them. */
export const isSame = (a: string, b: string): boolean => beginning(a) === beginning(b)

interface Question {
  readonly topics: Set<string>
  readonly answer: Promise<TopicIds>
}

/** Asks for ids; those who ask in the same moment share a request. Never rejects: what nobody tells is not known. */
export class TopicIdQueries {
  readonly #reader: Pick<LogReader, 'topicIds'>
  #next: Question | undefined

  constructor(reader: Pick<LogReader, 'topicIds'>) {
    this.#reader = reader
  }

  of(topics: readonly string[]): Promise<TopicIds> {
    this.#next ??= this.#begin()
    for (const topic of topics) this.#next.topics.add(topic)
    return this.#next.answer
  }

  #begin(): Question {
    const topics = new Set<string>()
    const answer = Promise.resolve().then(() => {
      this.#next = undefined
      return this.#reader.topicIds([...topics]).catch(() => new Map<string, string>())
    })
    return { topics, answer }
  }
}
