// The same application on @confluentinc/kafka-javascript.
//   node examples/retry/billing-confluent.ts [BOOTSTRAP [SOURCE [GROUP [PIPELINE]]]]
import confluent from '@confluentinc/kafka-javascript'
import { retrying } from 'sluice/retry'
import { bill } from './handle.ts'

const [bootstrap = 'localhost:9092', source = 'orders.created', group = 'billing', pipeline = 'default.billing'] = process.argv.slice(2)
const kafka = new confluent.KafkaJS.Kafka({ kafkaJS: { clientId: 'billing', brokers: [bootstrap] } })
const producer = kafka.producer({ kafkaJS: { idempotent: true } })
const consumer = kafka.consumer({ kafkaJS: { groupId: group, fromBeginning: true, readUncommitted: false } })
const application = retrying({ source, group, pipeline, handle: bill })

await Promise.all([producer.connect(), consumer.connect()])
await consumer.subscribe({ topics: application.topics })
await consumer.run({ eachMessage: application.eachMessage(producer) })
