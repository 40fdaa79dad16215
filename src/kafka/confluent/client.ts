import type { LibrdKafkaError } from '@confluentinc/kafka-javascript'
import type { ConnectionSettings } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import type { Client, Consumer } from './binding.ts'
import { call, codeOf, textOf } from './errors.ts'

const CONNECT_TIMEOUT_MS = 10_000
const DISCONNECT_TIMEOUT_MS = 10_000

const LISTEN_INTERVAL_MS = 50

/**
 * Connects, or rejects saying why: the call itself only ever times out, while the reason (certificate, password, no such host) arrives as an
 * event before, and only while the client is served: `serve` polls it.
 */
export async function connect(client: Client, settings: ConnectionSettings, serve: () => void): Promise<void> {
  let reason: LibrdKafkaError | undefined
  client.on('event.error', error => {
    // A later event may say no more than that all brokers are down: keep the telling one.
    if (reason === undefined || ['BrokerUnreachable', 'Unexpected'].includes(codeOf(reason.code))) reason = error
  })
  const serving = setInterval(() => {
    if (client.isConnected()) serve()
  }, LISTEN_INTERVAL_MS)
  try {
    await call('connect', done => {
      client.connect({ allTopics: false, timeout: CONNECT_TIMEOUT_MS }, done)
    })
  } catch (error) {
    const cause = reason ?? (error as KafkaError).cause
    // The call's own error has lost its number: it is always the transport's.
    const known = reason === undefined ? 'Unexpected' : codeOf(reason.code)
    const code = known === 'Unexpected' ? 'BrokerUnreachable' : known
    throw new KafkaError(code, `could not connect to ${settings.bootstrapServers.join(',')}: ${textOf(cause)}`, {
      retriable: code !== 'AuthenticationFailed',
      cause,
    })
  } finally {
    clearInterval(serving)
  }
}

/** Consumers can only be served by consuming, which would wait: connect a producer first, it learns the reason. */
export const connectConsumer = (consumer: Consumer, settings: ConnectionSettings): Promise<void> =>
  connect(consumer, settings, () => undefined)

/** Bounded: a client of the binding can hang in here for good, and its process with it (client facts, section 8). */
export async function disconnect(client: Client): Promise<void> {
  if (!client.isConnected()) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new KafkaError('Timeout', `a Kafka client did not disconnect within ${DISCONNECT_TIMEOUT_MS} ms`, { retriable: false }))
    }, DISCONNECT_TIMEOUT_MS)
  })
  try {
    await Promise.race([
      late,
      call('disconnect', done => {
        client.disconnect(done)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}
