/** What this helper needs of a client: the part on which kafkajs and the KafkaJS interface of @confluentinc/kafka-javascript agree. */
export type HeaderValue = Buffer | string | (Buffer | string)[] | undefined
export type Headers = Record<string, HeaderValue>

export interface Message {
  readonly key?: Buffer | null
  readonly value: Buffer | null
  readonly headers?: Headers
  readonly offset: string
  readonly timestamp: string
}

export interface Payload {
  readonly topic: string
  readonly partition: number
  readonly message: Message
}

export interface Producer {
  send(record: { topic: string; messages: { key: Buffer | null; value: Buffer | null; headers: Headers }[] }): Promise<unknown>
}
