import { createHash } from 'node:crypto'
import type {
  ClusterDescription,
  ConfigChange,
  CommittedOffset,
  ConfigEntry,
  KafkaAdmin,
  KeySample,
  NewTopic,
  OffsetAnswer,
  OffsetQuery,
  TopicDescription,
  TopicPartitions,
} from '../../../src/kafka/admin.ts'
import { KafkaError, type KafkaErrorCode } from '../../../src/kafka/errors.ts'

export interface FakeTopic {
  readonly id: string
  partitions: number
  replicationFactor: number
  /** The topic's own configs. */
  readonly configs: Map<string, string>
  /** Bytes on disk of each partition. */
  bytesPerPartition: number
  /** Records of each partition, one per `recordIntervalMs`, the last at `lastRecordAt`. */
  records: number
  lastRecordAt: number
  recordIntervalMs: number
  /** Undefined: nothing can be told of them. */
  keys?: KeySample
}

const DEFAULTS: Readonly<Record<string, string>> = {
  'retention.ms': '604800000',
  'retention.bytes': '-1',
  'cleanup.policy': 'delete',
  'segment.bytes': '1073741824',
  'segment.ms': '604800000',
  'min.insync.replicas': '1',
  'max.message.bytes': '1048588',
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.after.max.ms': '3600000',
  'message.timestamp.before.max.ms': '9223372036854775807',
  'min.cleanable.dirty.ratio': '0.5',
  'min.compaction.lag.ms': '0',
  'max.compaction.lag.ms': '9223372036854775807',
  'delete.retention.ms': '86400000',
  'file.delete.delay.ms': '60000',
  'flush.ms': '9223372036854775807',
  'segment.jitter.ms': '0',
  'compression.type': 'producer',
  'unclean.leader.election.enable': 'false',
}

/** A cluster in memory: counts requests and writes, refuses what it is told to refuse, goes away when told to. */
export class FakeKafka {
  /** Committed offsets by group. */
  readonly offsets = new Map<string, readonly CommittedOffset[]>()
  readonly topics = new Map<string, FakeTopic>()
  readonly requests = new Map<string, number>()
  /** Calls that changed something or tried to, in words. */
  readonly writes: string[] = []
  /** Refusals by topic. */
  readonly refuse = new Map<string, KafkaError>()
  /** Topics that listing and describing do not tell of yet, although they exist. */
  readonly hidden = new Set<string>()
  /** Every call fails with this while set. */
  down: KafkaErrorCode | undefined
  open = 0
  opened = 0
  clusterId = 'fake-cluster'

  addTopic(name: string, given: Partial<Omit<FakeTopic, 'configs'>> & { configs?: Readonly<Record<string, string>> } = {}): FakeTopic {
    const topic: FakeTopic = {
      id: createHash('sha1').update(`${name}${this.topics.size}`).digest('hex').slice(0, 22),
      partitions: 1,
      replicationFactor: 1,
      bytesPerPartition: 0,
      records: 0,
      lastRecordAt: 0,
      recordIntervalMs: 1_000,
      ...given,
      configs: new Map(Object.entries(given.configs ?? {})),
    }
    this.topics.set(name, topic)
    return topic
  }

  /** Requests of one operation so far. */
  count(operation: string): number {
    return this.requests.get(operation) ?? 0
  }

  get totalRequests(): number {
    return [...this.requests.values()].reduce((sum, count) => sum + count, 0)
  }

  admin(): KafkaAdmin {
    this.open++
    this.opened++
    const visible = (name: string) => (this.hidden.has(name) ? undefined : this.topics.get(name))
    return {
      describeCluster: () => this.#ask('describeCluster', () => this.#cluster()),
      listTopics: options =>
        this.#ask('listTopics', () =>
          [...this.topics.keys()]
            .filter(name => !this.hidden.has(name) && (options?.includeInternal === true || !name.startsWith('__')))
            .sort(),
        ),
      describeTopics: (names = [...this.topics.keys()].filter(name => !name.startsWith('__')).sort()) =>
        this.#ask('describeTopics', () => present(names, visible, (topic, name) => describe(topic, name))),
      describeConfigs: (names, keys) => this.#ask('describeConfigs', () => present(names, visible, topic => configsOf(topic, keys))),
      createTopics: topics =>
        this.#write(
          'createTopics',
          topics,
          ({ name }) => name,
          topic => {
            this.#create(topic)
          },
        ),
      createPartitions: topics =>
        this.#write(
          'createPartitions',
          topics,
          ({ name }) => name,
          ({ name, count }) => {
            this.#get(name).partitions = count
          },
        ),
      alterConfigs: changes =>
        this.#write(
          'alterConfigs',
          changes,
          ({ topic }) => topic,
          change => {
            this.#alter(change)
          },
        ),
      deleteTopics: names =>
        this.#write(
          'deleteTopics',
          names,
          name => name,
          name => {
            this.#get(name)
            this.topics.delete(name)
          },
        ),
      logDirSizes: topics => this.#ask('logDirSizes', () => this.#sizes(topics)),
      listOffsets: queries => this.#ask('listOffsets', () => queries.map(query => this.#offset(query))),
      sampleKeys: topics => this.#ask('sampleKeys', () => this.#sampleKeys(topics)),
      deleteRecords: () => this.#unexpected('deleteRecords'),
      listGroups: () => this.#ask('listGroups', () => []),
      describeGroup: () => this.#unexpected('describeGroup'),
      groupOffsets: group => this.#ask('groupOffsets', () => this.offsets.get(group) ?? []),
      alterGroupOffsets: () => this.#unexpected('alterGroupOffsets'),
      deleteGroup: () => this.#unexpected('deleteGroup'),
      close: () => {
        this.open--
        return Promise.resolve()
      },
    }
  }

  #cluster(): ClusterDescription {
    return {
      clusterId: this.clusterId,
      controllerId: 1,
      brokers: [{ id: 1, host: 'kafka', port: 9092 }],
      features: { transactions: true, shareGroups: false, consumerProtocol: true },
    }
  }

  async #ask<T>(operation: string, answer: () => T): Promise<T> {
    await Promise.resolve()
    this.requests.set(operation, this.count(operation) + 1)
    if (this.down !== undefined) throw new KafkaError(this.down, `the fake cluster is away (${this.down})`, { retriable: true })
    return answer()
  }

  #write<T>(
    operation: string,
    items: readonly T[],
    nameOf: (item: T) => string,
    change: (item: T) => void,
  ): Promise<Map<string, KafkaError | undefined>> {
    return this.#ask(operation, () => {
      this.writes.push(`${operation} ${items.map(nameOf).join(' ')}`)
      return new Map(
        items.map(item => [
          nameOf(item),
          this.refuse.get(nameOf(item)) ??
            attempt(() => {
              change(item)
            }),
        ]),
      )
    })
  }

  #unexpected(operation: string): never {
    throw new Error(`nobody should call ${operation}`)
  }

  #get(name: string): FakeTopic {
    const topic = this.topics.get(name)
    if (topic === undefined) throw new KafkaError('UnknownTopic', `no topic "${name}"`, { retriable: false })
    return topic
  }

  #create({ name, configs, ...rest }: NewTopic): void {
    if (this.topics.has(name)) throw new KafkaError('TopicExists', `topic "${name}" exists`, { retriable: false })
    this.addTopic(name, { ...rest, configs })
  }

  #alter({ topic, set, remove }: ConfigChange): void {
    const { configs } = this.#get(topic)
    for (const key of [...Object.keys(set), ...remove])
      if (!(key in DEFAULTS)) throw new KafkaError('InvalidConfig', `unknown topic config ${key}`, { retriable: false })
    for (const [key, value] of Object.entries(set)) configs.set(key, value)
    for (const key of remove) configs.delete(key)
  }

  #sizes(topics: readonly TopicPartitions[]): ReadonlyMap<string, ReadonlyMap<number, number>> {
    return new Map(
      topics.flatMap(({ topic, partitions }) => {
        const found = this.topics.get(topic)
        return found === undefined ? [] : [[topic, new Map(partitions.map(partition => [partition, found.bytesPerPartition]))]]
      }),
    )
  }

  #sampleKeys(topics: readonly TopicPartitions[]): ReadonlyMap<string, KeySample> {
    return new Map(
      topics.flatMap(({ topic }) => {
        const keys = this.topics.get(topic)?.keys
        return keys === undefined ? [] : [[topic, keys]]
      }),
    )
  }

  #offset({ topic, partition, at }: OffsetQuery): OffsetAnswer {
    const { records, lastRecordAt, recordIntervalMs } = this.#get(topic)
    const firstAt = lastRecordAt - (records - 1) * recordIntervalMs
    const answer = (offset: number, timestamp = -1) => ({ topic, partition, offset: BigInt(offset), timestamp })
    if (at === 'earliest') return answer(0)
    if (at === 'latest') return answer(records)
    const offset = Math.max(0, Math.ceil((at.timestamp - firstAt) / recordIntervalMs))
    return offset >= records ? answer(records) : answer(offset, firstAt + offset * recordIntervalMs)
  }
}

function attempt(change: () => void): KafkaError | undefined {
  try {
    change()
    return undefined
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
}

function present<T>(
  names: readonly string[],
  find: (name: string) => FakeTopic | undefined,
  map: (topic: FakeTopic, name: string) => T,
): Map<string, T> {
  return new Map(
    names.flatMap(name => {
      const topic = find(name)
      return topic === undefined ? [] : [[name, map(topic, name)]]
    }),
  )
}

const describe = ({ id, partitions, replicationFactor }: FakeTopic, name: string): TopicDescription => ({
  name,
  id,
  partitions,
  replicationFactor,
  underReplicated: 0,
})

function configsOf(topic: FakeTopic, keys: readonly string[] = Object.keys(DEFAULTS)): Map<string, ConfigEntry> {
  return new Map(
    keys
      .filter(key => key in DEFAULTS)
      .map(key => {
        const own = topic.configs.get(key)
        return [key, { value: own ?? DEFAULTS[key] ?? null, source: own === undefined ? 'Default' : 'Topic', readOnly: false }]
      }),
  )
}
