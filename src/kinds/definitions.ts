import type { ResourceDefinition } from '../api/definition.ts'
import { definition as deadLetterPipeline } from './dead-letter-pipeline/resource.ts'
import { definition as deadLetterRedrive } from './dead-letter-redrive/resource.ts'
import { definition as delayQueue } from './delay-queue/resource.ts'
import { definition as kafkaConnection } from './kafka-connection/resource.ts'
import { definition as kafkaTopicPolicy } from './kafka-topic-policy/resource.ts'
import { definition as sagaDefinition } from './saga-definition/resource.ts'

/** Schemas of all kinds: what `validate` and the CRD generator need, without the code that plans. */
export const definitions: readonly ResourceDefinition[] = [
  kafkaConnection,
  kafkaTopicPolicy,
  delayQueue,
  deadLetterPipeline,
  deadLetterRedrive,
  sagaDefinition,
]
