import { Kafka, logLevel } from 'kafkajs'
import type { IHeaders } from 'kafkajs'
import { startKafka } from '../test/support/kafka.ts'
import { freePorts } from '../test/support/ports.ts'
import { eventually } from './shell.ts'

export interface Broker {
  readonly bootstrap: string
  stop(): Promise<void>
}

/** A Kafka that pods reach: on this machine at the address given, or the one that SLUICE_E2E_KAFKA names. */
export async function startBroker(hostAddress: string | undefined): Promise<Broker> {
  const given = process.env.SLUICE_E2E_KAFKA
  if (given !== undefined) return { bootstrap: given, stop: () => Promise.resolve() }
  if (hostAddress === undefined) throw new Error('SLUICE_E2E_KAFKA must name a Kafka (HOST:PORT) that both the pods and this machine reach')
  const [port, controller] = (await freePorts(2)) as [number, number]
  const bootstrap = `${hostAddress}:${port}`
  const properties = {
    listeners: `PLAINTEXT://${bootstrap},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://${bootstrap}`,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
  }
  const kafka = await startKafka({ properties })
  return { bootstrap, stop: () => kafka.stop() }
}

export interface Delivery {
  readonly value: string
  /** When this client had it. */
  readonly at: number
  readonly headers: IHeaders
}

/** An independent client: sends to a queue, and keeps what arrives on a topic, read committed. */
export async function client(bootstrap: string) {
  const kafka = new Kafka({ clientId: 'sluice-e2e', brokers: [bootstrap], logLevel: logLevel.ERROR })
  const producer = kafka.producer()
  const admin = kafka.admin()
  await Promise.all([producer.connect(), admin.connect()])
  const consumers: { disconnect(): Promise<void> }[] = []
  return {
    admin,
    send: async (topic: string, value: string, headers: Readonly<Record<string, string>>): Promise<number> => {
      await producer.send({ topic, messages: [{ key: value, value, headers }] })
      return Date.now()
    },
    /** Everything on the topic from now on; the array grows. */
    collect: async (topic: string): Promise<readonly Delivery[]> => {
      const deliveries: Delivery[] = []
      const consumer = kafka.consumer({ groupId: `e2e-${topic}`, readUncommitted: false })
      consumers.push(consumer)
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      let joined = false
      consumer.on('consumer.group_join', () => {
        joined = true
      })
      await consumer.run({
        eachMessage: async ({ message }) => {
          deliveries.push({ value: message.value?.toString() ?? '', at: Date.now(), headers: message.headers ?? {} })
        },
      })
      await eventually('the consumer joins its group', 30_000, async () => (joined ? true : undefined))
      return deliveries
    },
    /** Collects nothing from then on: a consumer would ask for its topic again and again. */
    deleteTopics: async (topics: readonly string[]): Promise<void> => {
      await Promise.all(consumers.splice(0).map(consumer => consumer.disconnect()))
      await admin.deleteTopics({ topics: [...topics] })
    },
    close: async (): Promise<void> => {
      await Promise.all(consumers.map(consumer => consumer.disconnect()))
      await Promise.all([producer.disconnect(), admin.disconnect()])
    },
  }
}
export type Client = Awaited<ReturnType<typeof client>>
