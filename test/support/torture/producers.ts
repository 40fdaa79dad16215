import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import type { Kafka, Producer, RecordMetadata } from 'kafkajs'
import { partitionOf } from '../../../src/kafka/partitioner.ts'
import type { Random } from '../delay-queue/random.ts'
import { valueOf } from './mix.ts'
import type { Writing } from './mix.ts'

/** What is known of a write: an answer that never came leaves it open whether the records are in the log. */
export type Written = 'acknowledged' | 'unknown' | 'aborted'

export interface Sender {
  readonly name: string
  /** Never rejects. */
  write(writings: readonly Writing[], topicOf: (role: Writing['role']) => string): Promise<Written>
  close(): Promise<void>
}

/** Of every topic here. */
export const PARTITIONS = 6
/** A producer that does not answer for so long is replaced. */
const PATIENCE_MS = 20_000
const TRANSACTION_TIMEOUT_MS = 8_000
const ABORTED_SHARE = 0.1

const withinPatience = <T>(action: Promise<T>): Promise<T> => {
  action.catch(() => undefined)
  const late = pause(PATIENCE_MS, undefined, { ref: false }).then(() => {
    throw new Error(`no answer within ${PATIENCE_MS} ms`)
  })
  return Promise.race([action, late])
}

/** kafkajs: plain, or in transactions of which some are aborted on purpose. */
export class KafkaJsSender implements Sender {
  readonly name: string
  readonly #kafka: Kafka
  readonly #transactions: Random | undefined
  #producer: Promise<Producer> | undefined

  /** @param transactions decides which are aborted; undefined: no transactions. */
  constructor(name: string, kafka: Kafka, transactions?: Random) {
    this.name = name
    this.#kafka = kafka
    this.#transactions = transactions
  }

  async write(writings: readonly Writing[], topicOf: (role: Writing['role']) => string): Promise<Written> {
    const roles = [...new Set(writings.map(({ role }) => role))]
    const topicMessages = roles.map(role => ({
      topic: topicOf(role),
      messages: writings.filter(writing => writing.role === role).map(({ key, headers, ...rest }) => messageOf({ key, headers, ...rest })),
    }))
    try {
      const producer = await withinPatience((this.#producer ??= this.#connect()))
      if (this.#transactions === undefined) return answered(topicMessages, await withinPatience(producer.sendBatch({ topicMessages })))
      const transaction = await withinPatience(producer.transaction())
      const answers = await withinPatience(transaction.sendBatch({ topicMessages }))
      const abort = this.#transactions.chance(ABORTED_SHARE)
      await withinPatience(abort ? transaction.abort() : transaction.commit())
      return abort ? 'aborted' : answered(topicMessages, answers)
    } catch {
      await this.close()
      return 'unknown'
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    await withinPatience(producer?.then(each => each.disconnect()) ?? Promise.resolve()).catch(() => undefined)
  }

  async #connect(): Promise<Producer> {
    const transactional = { transactionalId: this.name, maxInFlightRequests: 1, transactionTimeout: TRANSACTION_TIMEOUT_MS }
    // Idempotence only where transactions need it: kafkajs gives the sequence numbers of a request that failed to other records, and a broker that had
    // taken the first ones answers yes and drops those.
    const producer = this.#kafka.producer({
      idempotent: this.#transactions !== undefined,
      retry: { retries: 5 },
      ...(this.#transactions === undefined ? {} : transactional),
    })
    await producer.connect()
    return producer
  }
}

const messageOf = (writing: Writing) => ({ key: writing.key, value: valueOf(writing), headers: { ...writing.headers } })

/**
 * kafkajs 2.2.4 forgets records: when a leader moves between two attempts to a broker that has answered already, it takes that answer for theirs as
 * well (sendMessages.js, `responsePerBroker`). So it is believed about the partitions that it names.
 */
function answered(
  written: readonly { readonly topic: string; readonly messages: readonly { readonly key: string }[] }[],
  answers: readonly RecordMetadata[],
): Written {
  const named = new Set(answers.map(({ topicName, partition }) => `${topicName}/${partition}`))
  const all = written.every(({ topic, messages }) =>
    messages.every(({ key }) => named.has(`${topic}/${partitionOf(Buffer.from(key), PARTITIONS)}`)),
  )
  return all ? 'acknowledged' : 'unknown'
}

/** kcat, which is librdkafka: a process for each set of headers, with Java's partitioner. Every other one is not idempotent: retries may double. */
export class KcatSender implements Sender {
  readonly name: string
  readonly #kcat: string
  readonly #bootstrap: string
  #turn = 0

  constructor(name: string, kcat: string, bootstrap: string) {
    this.name = name
    this.#kcat = kcat
    this.#bootstrap = bootstrap
  }

  /** @param writings have topic and headers in common. */
  async write(writings: readonly Writing[], topicOf: (role: Writing['role']) => string): Promise<Written> {
    const [first] = writings
    if (first === undefined) return 'acknowledged'
    this.#turn++
    const headers = Object.entries(first.headers).flatMap(([name, value]) => ['-H', `${name}=${value}`])
    const settings = ['topic.partitioner=murmur2_random', 'message.timeout.ms=15000', `enable.idempotence=${this.#turn % 2 === 0}`]
    const args = ['-P', '-b', this.#bootstrap, '-t', topicOf(first.role), '-K', '\t', ...settings.flatMap(each => ['-X', each]), ...headers]
    const child = spawn(this.#kcat, args, { stdio: ['pipe', 'ignore', 'pipe'], timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.stdin.on('error', () => undefined)
    child.stdin.end(writings.map(writing => `${writing.key}\t${valueOf(writing)}\n`).join(''))
    const status = await new Promise<number | null>(resolve => child.once('close', resolve))
    return status === 0 && !errors.includes('Delivery failed') ? 'acknowledged' : 'unknown'
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
