// An application with retries: reads orders, hands failures to a pipeline and reads what comes back.
//   node examples/retry/billing.ts [BOOTSTRAP [SOURCE [GROUP [PIPELINE]]]]
// beside `bin/sluice run -f manifests/samples --bootstrap BOOTSTRAP`, which runs the pipeline `billing`.
import kafkajs from 'kafkajs'
import { retrying } from 'sluice/retry'
import { bill } from './handle.ts'

const [bootstrap = 'localhost:9092', source = 'orders.created', group = 'billing', pipeline = 'default.billing'] = process.argv.slice(2)
const kafka = new kafkajs.Kafka({ clientId: 'billing', brokers: [bootstrap] })
const producer = kafka.producer({ idempotent: true })
const consumer = kafka.consumer({ groupId: group, readUncommitted: false })
const application = retrying({ source, group, pipeline, handle: bill })

await Promise.all([producer.connect(), consumer.connect()])
await consumer.subscribe({ topics: application.topics, fromBeginning: true })
await consumer.run({ eachMessage: application.eachMessage(producer) })
