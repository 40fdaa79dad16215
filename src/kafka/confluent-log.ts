import type { KafkaLogFactory } from './log.ts'
import { joinGroup } from './confluent/group-consumer.ts'
import { connectProducer } from './confluent/producer.ts'
import { connectReader } from './confluent/reader.ts'

/**
 * The log of a real cluster, by librdkafka. Set UV_THREADPOOL_SIZE to 16 before Node starts: every waiting call holds a thread of that pool, and
 * with the default of 4 a transaction takes seconds.
 */
export const confluentLog: KafkaLogFactory = (settings, client) => ({
  groupConsumer: options => joinGroup(settings, client, options),
  reader: () => connectReader(settings, client.clientId),
  producer: options => connectProducer(settings, client.clientId, options),
})
