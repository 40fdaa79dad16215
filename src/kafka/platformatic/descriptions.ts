import { metadataV12 } from '@platformatic/kafka'
import type { Reader } from '@platformatic/kafka'
import type { TopicDescription } from '../admin.ts'
import { Answers } from './answers.ts'
import type { Brokers } from './brokers.ts'
import { chunked } from './chunks.ts'
import { lengthOf } from './compact-array.ts'

type Described = ReadonlyMap<string, TopicDescription>

/** Describes topics from one metadata request, decoded into what we keep: the library makes seven objects per partition on the way. */
export class Descriptions {
  readonly #all = new Answers(reader => readDescriptions(reader, name => !name.startsWith('__')))
  readonly #named = new Answers(reader => readDescriptions(reader, () => true))
  readonly #brokers: Brokers

  constructor(brokers: Brokers) {
    this.#brokers = brokers
  }

  /** `names` undefined: all but internal ones, by name. */
  async of(names: readonly string[] | undefined): Promise<Described> {
    if (names === undefined) return this.#ask(this.#all, null)
    const chunks: Described[] = []
    for (const chunk of chunked(names)) chunks.push(await this.#ask(this.#named, [...chunk]))
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : new Map(chunks.flatMap(chunk => [...chunk]))
  }

  async #ask(answers: Answers<Described>, names: string[] | null): Promise<Described> {
    const connection = await this.#brokers.any()
    // Never creates a topic by asking for it.
    return this.#brokers.ask(connection, 'metadata', answers.to('', metadataV12), names, false, false)
  }
}

/** https://kafka.apache.org/protocol.html#The_Messages_Metadata, version 12. */
function readDescriptions(reader: Reader, wanted: (name: string) => boolean): Described {
  skipArray(reader, skipBroker)
  reader.readNullableString()
  reader.skip(4)
  const described: TopicDescription[] = []
  skipArray(reader, topic => {
    const description = readTopic(topic)
    if (description !== undefined && wanted(description.name)) described.push(description)
  })
  described.sort((a, b) => (a.name < b.name ? -1 : 1))
  return new Map(described.map(description => [description.name, description]))
}

function readTopic(reader: Reader): TopicDescription | undefined {
  const errorCode = reader.readInt16()
  const name = reader.readNullableString()
  const id = reader.readUUID()
  reader.skip(1)
  const partitions = { count: 0, replicationFactor: 0, underReplicated: 0 }
  skipArray(reader, partition => {
    const { replicas, whole } = readPartition(partition)
    if (partitions.count === 0) partitions.replicationFactor = replicas
    partitions.count++
    if (!whole) partitions.underReplicated++
  })
  reader.skip(4)
  reader.readTaggedFields()
  if (errorCode !== 0 || name === null) return undefined
  const { count, replicationFactor, underReplicated } = partitions
  return { name, id, partitions: count, replicationFactor, underReplicated }
}

function readPartition(reader: Reader): { readonly replicas: number; readonly whole: boolean } {
  reader.skip(2 + 4)
  const leader = reader.readInt32()
  reader.skip(4)
  const replicas = skipInt32s(reader)
  const inSync = skipInt32s(reader)
  skipInt32s(reader)
  reader.readTaggedFields()
  return { replicas, whole: leader >= 0 && inSync >= replicas }
}

function skipBroker(reader: Reader): void {
  reader.skip(4)
  reader.readNullableString()
  reader.skip(4)
  reader.readNullableString()
  reader.readTaggedFields()
}

function skipArray(reader: Reader, each: (reader: Reader) => void): void {
  for (let left = lengthOf(reader); left > 0; left--) each(reader)
}

function skipInt32s(reader: Reader): number {
  const length = lengthOf(reader)
  reader.skip(4 * length)
  return length
}
