import { kind as deadLetterPipeline } from './dead-letter-pipeline/index.ts'
import { kind as deadLetterRedrive } from './dead-letter-redrive/index.ts'
import { kind as delayQueue } from './delay-queue/index.ts'
import { kind as kafkaConnection } from './kafka-connection/index.ts'
import { kind as kafkaTopicPolicy } from './kafka-topic-policy/index.ts'
import type { Kind } from './kind.ts'
import { kind as sagaDefinition } from './saga-definition/index.ts'

/** Every kind that Sluice knows. Adding one is a folder and a line here, and one in `definitions.ts`. */
export const kinds: readonly Kind[] = [kafkaConnection, kafkaTopicPolicy, delayQueue, deadLetterPipeline, deadLetterRedrive, sagaDefinition]
