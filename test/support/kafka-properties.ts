import { join } from 'node:path'

export interface KafkaUser {
  readonly username: string
  readonly password: string
}

export const SCRAM_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

export type ListenerName = 'plaintext' | 'proxied' | 'tls' | 'mutualTls' | 'sasl' | 'saslTls'

/** What each listener speaks; Kafka's own name for it is the key in capitals. */
export const LISTENERS: Readonly<Record<ListenerName, { readonly protocol: string; readonly tls: boolean; readonly sasl: boolean }>> = {
  plaintext: { protocol: 'PLAINTEXT', tls: false, sasl: false },
  // Advertised at the address of a TCP proxy that stands before it (kafka-cluster.ts).
  proxied: { protocol: 'PLAINTEXT', tls: false, sasl: false },
  tls: { protocol: 'SSL', tls: true, sasl: false },
  mutualTls: { protocol: 'SSL', tls: true, sasl: false },
  sasl: { protocol: 'SASL_PLAINTEXT', tls: false, sasl: true },
  saslTls: { protocol: 'SASL_SSL', tls: true, sasl: true },
}

/** One node, no waiting for company, background work quick enough for a test to see. */
const TEST_SETTINGS: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'auto.create.topics.enable': 'false',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'offsets.topic.num.partitions': '8',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.num.partitions': '8',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  'share.coordinator.state.topic.num.partitions': '2',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'default.replication.factor': '1',
  'min.insync.replicas': '1',
  'log.retention.check.interval.ms': '1000',
  'log.initial.task.delay.ms': '500',
  'log.segment.delete.delay.ms': '1000',
  'log.cleaner.backoff.ms': '500',
  'log.cleaner.dedupe.buffer.size': '16777216',
  'num.network.threads': '2',
  'num.io.threads': '4',
  // How long a killed broker's registration blocks its successor (9 s by default).
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
}

export interface ServerLayout {
  readonly dir: string
  readonly listening: readonly (readonly [ListenerName, number])[]
  readonly controllerPort: number
  readonly users: readonly KafkaUser[]
  readonly extra: Readonly<Record<string, string>>
}

/** Text of `server.properties`. */
export function serverProperties(layout: ServerLayout): string {
  const addresses = layout.listening.map(([name, port]) => `${kafkaName(name)}://127.0.0.1:${port}`)
  const settings: Readonly<Record<string, string>> = {
    ...TEST_SETTINGS,
    'log.dirs': join(layout.dir, 'data'),
    listeners: [...addresses, `CONTROLLER://127.0.0.1:${layout.controllerPort}`].join(','),
    'advertised.listeners': addresses.join(','),
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT',
      ...layout.listening.map(([name]) => `${kafkaName(name)}:${LISTENERS[name].protocol}`),
    ].join(','),
    'inter.broker.listener.name': kafkaName('plaintext'),
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': `1@127.0.0.1:${layout.controllerPort}`,
    ...Object.fromEntries(layout.listening.flatMap(([name]) => Object.entries(listenerSettings(name, layout)))),
    ...layout.extra,
  }
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

const kafkaName = (name: ListenerName): string => name.toUpperCase()

function listenerSettings(name: ListenerName, layout: ServerLayout): Readonly<Record<string, string>> {
  const { tls, sasl } = LISTENERS[name]
  const own = `listener.name.${kafkaName(name).toLowerCase()}`
  const tlsSettings = {
    [`${own}.ssl.keystore.type`]: 'PEM',
    [`${own}.ssl.keystore.location`]: join(layout.dir, 'broker-keystore.pem'),
    [`${own}.ssl.truststore.type`]: 'PEM',
    [`${own}.ssl.truststore.location`]: join(layout.dir, 'ca.pem'),
    [`${own}.ssl.client.auth`]: name === 'mutualTls' ? 'required' : 'none',
  }
  const security = 'org.apache.kafka.common.security'
  const known = layout.users.map(user => `user_${user.username}="${user.password}"`).join(' ')
  const saslSettings = {
    [`${own}.sasl.enabled.mechanisms`]: ['PLAIN', ...SCRAM_MECHANISMS].join(','),
    [`${own}.plain.sasl.jaas.config`]: `${security}.plain.PlainLoginModule required ${known};`,
    ...Object.fromEntries(
      SCRAM_MECHANISMS.map(mechanism => [
        `${own}.${mechanism.toLowerCase()}.sasl.jaas.config`,
        `${security}.scram.ScramLoginModule required;`,
      ]),
    ),
  }
  return { ...(tls ? tlsSettings : {}), ...(sasl ? saslSettings : {}) }
}
