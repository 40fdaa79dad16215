import type { ConsumerGlobalConfig, GlobalConfig, ProducerGlobalConfig } from '@confluentinc/kafka-javascript'
import type { ConnectionSettings, SaslSettings, TlsSettings } from '../connection.ts'

/** What every client of a worker has in common. Figures: docs/adr/0001. */
export function connectionConfig(settings: ConnectionSettings, clientId: string): GlobalConfig {
  return {
    'bootstrap.servers': settings.bootstrapServers.join(','),
    'client.id': clientId,
    'security.protocol': protocol(settings),
    'socket.keepalive.enable': true,
    'socket.nagle.disable': true,
    'reconnect.backoff.ms': 50,
    'reconnect.backoff.max.ms': 2000,
    // A topic that is created while we run is noticed by this refresh.
    'topic.metadata.refresh.interval.ms': 10_000,
    ...(settings.tls === undefined ? {} : tlsConfig(settings.tls)),
    ...(settings.sasl === undefined ? {} : saslConfig(settings.sasl)),
  }
}

/**
 * A consumer fetches little and often: what is due soon must not wait behind a full buffer. But not at once after every record: a request names
 * every partition again (librdkafka knows no fetch sessions), and with 60 of them 1,000 records/s made 645 requests/s, which cost the broker more
 * than the transactions did. One record waiting (`queued.min.messages`) now puts the next request off for the back-off: 115 requests/s.
 */
export function consumerConfig(settings: ConnectionSettings, clientId: string, groupId: string): ConsumerGlobalConfig {
  return {
    ...connectionConfig(settings, clientId),
    'group.id': groupId,
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    'isolation.level': 'read_committed',
    'enable.partition.eof': true,
    // How long a missing topic counts as one that is not known everywhere yet (30 s by default): whoever asks about it waits so long.
    'topic.metadata.propagation.max.ms': 1000,
    'fetch.wait.max.ms': 50,
    'fetch.queue.backoff.ms': 5,
    'fetch.error.backoff.ms': 50,
    'queued.min.messages': 1,
    'queued.max.messages.kbytes': 32_768,
  }
}

export function producerConfig(
  settings: ConnectionSettings,
  clientId: string,
  options: { readonly transactionalId: string; readonly transactionTimeoutMs: number },
): ProducerGlobalConfig {
  return {
    ...connectionConfig(settings, clientId),
    'transactional.id': options.transactionalId,
    'transaction.timeout.ms': options.transactionTimeoutMs,
    'linger.ms': 0,
    // The default of 100 ms is what a transaction waits for the markers of the one before: p95 115 ms instead of 5.
    'retry.backoff.ms': 2,
    'retry.backoff.max.ms': 10,
    'topic.metadata.propagation.max.ms': 1000,
    // The broker decides: it names the topic, and only it knows the topic's limit.
    'message.max.bytes': 100_000_000,
    'batch.size': 1_000_000,
    // Reports of success too, though only refusals are of interest: a commit waits for the last record in steps of 10 ms unless a report wakes
    // it (seen with `delivery.report.only.error`: commit p50 11.6 ms instead of 4.7).
    dr_cb: true,
  }
}

function protocol({ tls, sasl }: ConnectionSettings): 'plaintext' | 'ssl' | 'sasl_plaintext' | 'sasl_ssl' {
  if (sasl === undefined) return tls === undefined ? 'plaintext' : 'ssl'
  return tls === undefined ? 'sasl_plaintext' : 'sasl_ssl'
}

function tlsConfig(tls: TlsSettings): GlobalConfig {
  return {
    ...(tls.ca === undefined ? {} : { 'ssl.ca.pem': tls.ca }),
    ...(tls.certificate === undefined ? {} : { 'ssl.certificate.pem': tls.certificate }),
    ...(tls.key === undefined ? {} : { 'ssl.key.pem': tls.key }),
    ...(tls.insecureSkipVerify === true ? { 'enable.ssl.certificate.verification': false } : {}),
  }
}

function saslConfig(sasl: SaslSettings): GlobalConfig {
  if (sasl.mechanism !== 'OAUTHBEARER') {
    return { 'sasl.mechanisms': sasl.mechanism, 'sasl.username': sasl.username, 'sasl.password': sasl.password }
  }
  return {
    'sasl.mechanisms': 'OAUTHBEARER',
    'sasl.oauthbearer.method': 'oidc',
    'sasl.oauthbearer.token.endpoint.url': sasl.tokenEndpoint,
    'sasl.oauthbearer.client.id': sasl.clientId,
    'sasl.oauthbearer.client.secret': sasl.clientSecret,
    ...(sasl.scope === undefined ? {} : { 'sasl.oauthbearer.scope': sasl.scope }),
  }
}
