import type { Headers, Payload, Producer } from './client.ts'
import { failureHeaders } from './failure-headers.ts'

/** One delivery of a record to the application. */
export interface Delivery {
  /** Where it was read: a source topic, or the redelivery topic of the pipeline. */
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Headers
  /** Number of this delivery, from 1. */
  readonly attempt: number
}

export interface RetryingOptions {
  /** What the application reads: `spec.source.topic` of the pipeline. */
  readonly source: string
  /** Its consumer group: `spec.source.group`. */
  readonly group: string
  /** `<namespace>.<name>` of the DeadLetterPipeline, or its `spec.topicPrefix`: what its topics begin with. */
  readonly pipeline: string
  /** Does the work. Whatever it throws is a failure: `Rejected` for good, `RetryAfter` with a wait of its own. */
  readonly handle: (delivery: Delivery) => Promise<void> | void
}

export interface Retrying {
  /** To subscribe to: the source and the redelivery topic. */
  readonly topics: string[]
  /**
   * For `consumer.run`. A failed record is on the retry topic before its offset is committed: a crash between the two delivers it again, as every
   * crash of a consumer does. When the retry topic cannot be written the error is thrown on: the client delivers the record again, nothing is dropped.
   * @param producer idempotent, with acks from all replicas (the default of both clients).
   */
  eachMessage(producer: Producer): (payload: Payload) => Promise<void>
}

/** The application's side of a pipeline with topic delivery. */
export function retrying({ source, group, pipeline, handle }: RetryingOptions): Retrying {
  return {
    topics: [source, `${pipeline}.redelivery`],
    eachMessage: producer => async payload => {
      try {
        await handle(deliveryOf(payload))
      } catch (error) {
        const { key = null, value } = payload.message
        const headers = failureHeaders(payload, error, group)
        await producer.send({ topic: `${pipeline}.retry`, messages: [{ key, value, headers }] })
      }
    },
  }
}

function deliveryOf({ topic, partition, message }: Payload): Delivery {
  const { key = null, value, headers = {}, offset } = message
  const told = headers['sluice-attempt']
  const attempt = Number(String(Array.isArray(told) ? told.at(-1) : (told ?? 1)))
  return { topic, partition, offset, key, value, headers, attempt: Number.isInteger(attempt) && attempt > 0 ? attempt : 1 }
}
