import type { KafkaLogFactory } from '../kafka/log.ts'

/** The native client is large, and most operators never need it. */
export const logFactory = async (): Promise<KafkaLogFactory> => (await import('../kafka/confluent-log.ts')).confluentLog
