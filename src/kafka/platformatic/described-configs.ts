import { ConfigResourceTypes, Writer, describeConfigsV4 } from '@platformatic/kafka'
import type { Reader } from '@platformatic/kafka'
import type { ConfigEntry, ConfigSource, TopicConfig } from '../admin.ts'
import { Answers } from './answers.ts'
import type { Brokers } from './brokers.ts'
import { chunked } from './chunks.ts'
import { itemError } from './errors.ts'
import { aboutTopic } from './topics.ts'

const UNKNOWN_TOPIC = 3

/** Kafka's `ConfigSource` numbers. */
const SOURCES: readonly ConfigSource[] = ['Unknown', 'Topic', 'Broker', 'Cluster', 'Static', 'Default']

type Described = ReadonlyMap<string, TopicConfig>

interface Answer {
  readonly configs: Described
  readonly failed: readonly { readonly topic: string; readonly errorCode: number; readonly errorMessage: string | null }[]
}

/** Reads configs. Topics of one answer whose configs are alike share one object: thousands under one policy are. */
export class DescribedConfigs {
  readonly #answers = new Answers(readAnswer)
  readonly #brokers: Brokers

  constructor(brokers: Brokers) {
    this.#brokers = brokers
  }

  /** `keys` undefined: all. */
  async of(topics: readonly string[], keys: readonly string[] | undefined): Promise<Described> {
    const chunks: Described[] = []
    for (const chunk of chunked(topics)) chunks.push(await this.#ask(chunk, keys))
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : new Map(chunks.flatMap(chunk => [...chunk]))
  }

  async #ask(topics: readonly string[], keys: readonly string[] | undefined): Promise<Described> {
    const question = this.#answers.to(`${topics[0] ?? ''} ${topics.length} ${keys?.join() ?? '*'}`, {
      api: describeConfigsV4.api,
      createRequest,
    })
    const { configs, failed } = await this.#brokers.ask(await this.#brokers.any(), 'describeConfigs', question, topics, keys)
    for (const { topic, errorCode, errorMessage } of failed) {
      const error = itemError(aboutTopic(topic), errorCode, errorMessage)
      if (error !== undefined && errorCode !== UNKNOWN_TOPIC) throw error
    }
    return configs
  }
}

/**
 * The keys are the same for every topic: written once, and the whole in one piece. The library's own writer makes three buffers of every key of
 * every topic; with thousands of topics that garbage was half of what a cycle cost.
 */
function createRequest(topics: readonly string[], keys: readonly string[] | undefined): Writer {
  const asked = Writer.create().appendArray(keys === undefined ? null : [...keys], (writer, key) => writer.appendString(key), true, false)
  const end = asked.appendTaggedFields().buffer.toString('latin1')
  const type = String.fromCharCode(ConfigResourceTypes.TOPIC)
  // Topic names are ASCII.
  const resources = topics.map(topic => `${type}${lengthPrefix(topic.length)}${topic}${end}`).join('')
  return Writer.create()
    .appendUnsignedVarInt(topics.length + 1)
    .append(Buffer.from(resources, 'latin1'))
    .appendBoolean(false)
    .appendBoolean(false)
    .appendTaggedFields()
}

/** Length of a compact string: one more than it is, seven bits a byte. Topic names have at most 249 characters. */
const lengthPrefix = (length: number): string =>
  length + 1 < 128 ? String.fromCharCode(length + 1) : String.fromCharCode(((length + 1) & 127) | 128, (length + 1) >> 7)

/** https://kafka.apache.org/protocol.html#The_Messages_DescribeConfigs, version 4. */
function readAnswer(reader: Reader): Answer {
  const configs = new Map<string, TopicConfig>()
  const failed: Answer['failed'][number][] = []
  const shared = new Map<string, TopicConfig>()
  reader.readArray(
    result => {
      const errorCode = result.readInt16()
      const errorMessage = result.readNullableString()
      result.skip(1)
      const topic = result.readString()
      const config = readConfig(result, shared)
      result.readTaggedFields()
      if (errorCode === 0) configs.set(topic, config)
      else failed.push({ topic, errorCode, errorMessage })
    },
    true,
    false,
  )
  return { configs, failed }
}

function readConfig(reader: Reader, shared: Map<string, TopicConfig>): TopicConfig {
  const start = reader.position
  const entries = reader.readArray(readEntry, true, false)
  const bytes = reader.buffer.toString('latin1', start, reader.position)
  const alike = shared.get(bytes)
  if (alike !== undefined) return alike
  const config = new Map(entries)
  shared.set(bytes, config)
  return config
}

function readEntry(reader: Reader): readonly [string, ConfigEntry] {
  const name = reader.readString()
  const value = reader.readNullableString()
  const readOnly = reader.readBoolean()
  const source = SOURCES[reader.readInt8()] ?? 'Unknown'
  const sensitive = reader.readBoolean()
  reader.readArray(skipSynonym, true, false)
  reader.skip(1)
  reader.readNullableString()
  reader.readTaggedFields()
  return [name, { value: sensitive ? null : value, source, readOnly }]
}

function skipSynonym(reader: Reader): void {
  reader.readString()
  reader.readNullableString()
  reader.skip(1)
  reader.readTaggedFields()
}
