import { Option } from 'commander'
import type { Command } from 'commander'
import { parseDuration } from '../../api/duration.ts'
import { topicName } from '../../api/topic-name.ts'
import type { KafkaAdmin } from '../../kafka/admin.ts'
import type { QueueConfig } from '../../kinds/delay-queue/config.ts'
import type { DelayQueue } from '../../kinds/delay-queue/resource.ts'
import { queueTopics } from '../../kinds/delay-queue/topics.ts'

/** Which queue, as the options name it. */
export interface QueueOptions {
  readonly namespace?: string
  readonly name?: string
  readonly topicPrefix?: string
  readonly group?: string
  readonly filename?: string
}

/** A queue as the cluster has it. */
export interface Queue {
  readonly namespace: string
  readonly name: string
  readonly config: QueueConfig
  /** Consumer group of its workers. */
  readonly group: string
}

/** Adds the argument and the options of `QueueOptions`. */
export const withQueueOptions = (command: Command): Command =>
  command
    .argument('[namespace/name]', 'the DelayQueue')
    .addOption(option('-n, --namespace <name>', 'its namespace, instead of the argument'))
    .addOption(option('--name <name>', 'its name, instead of the argument'))
    .addOption(
      option('-f, --filename <path>', 'manifests with the DelayQueue: its spec.topicPrefix, and its KafkaConnection if none is given'),
    )
    .addOption(option('--topic-prefix <prefix>', 'its spec.topicPrefix, where it has one and no manifest is given'))
    .addOption(option('--group <name>', 'consumer group of its workers; found by itself'))

const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup('Queue:')

/** @throws Error that says how to name a queue. */
export function queueName(argument: string | undefined, options: QueueOptions): { readonly namespace: string; readonly name: string } {
  const [namespace, name, ...more] = argument === undefined ? [options.namespace, options.name] : argument.split('/')
  const twice = argument !== undefined && (options.namespace !== undefined || options.name !== undefined)
  if (namespace === undefined || name === undefined || namespace === '' || name === '' || more.length > 0 || twice)
    throw new Error('which queue? Write NAMESPACE/NAME, or --namespace and --name')
  return { namespace, name }
}

/**
 * What can be known of a queue without its resource: topics by their names. With the resource, its rules as well.
 * @throws Error when the cluster has no such queue
 */
export async function findQueue(
  admin: KafkaAdmin,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  options: QueueOptions,
  resource: DelayQueue | undefined,
): Promise<Queue> {
  const queue = resource ?? unknownSpec(namespace, name, options.topicPrefix)
  const input = topicName({ namespace, name }, queue.spec.topicPrefix, 'in')
  const exists = new Set(await admin.listTopics())
  const partitions = (await admin.describeTopics([input])).get(input)?.partitions
  if (partitions === undefined)
    throw new Error(`topic ${input} does not exist on this cluster: is ${namespace}/${name} a DelayQueue here, with another topicPrefix?`)
  const topics = queueTopics(queue, exists)
  for (const topic of [topics.journal, topics.ids])
    if (!exists.has(topic))
      throw new Error(`topic ${topic} does not exist on this cluster: ${input} is not the input of a DelayQueue, or not yet`)
  const there = ({ topic }: { readonly topic: string }): boolean => exists.has(topic)
  return {
    namespace,
    name,
    config: configOf(queue, resource !== undefined, partitions, {
      ...topics,
      fixed: topics.fixed.filter(there),
      tiers: topics.tiers.filter(there),
    }),
    group: options.group ?? (await groupOf(admin, namespace, name, input)),
  }
}

/** Of such a queue only topics that exist are known. */
const unknownSpec = (namespace: string, name: string, topicPrefix: string | undefined): DelayQueue => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'DelayQueue',
  metadata: { namespace, name },
  spec: { connectionRef: { name: '' }, maxDelay: '1ms', ...(topicPrefix !== undefined && { topicPrefix }) },
})

/** Without the resource nothing is too long and no target forbidden: what the worker refuses, it refuses within milliseconds anyway. */
function configOf({ spec }: DelayQueue, known: boolean, partitions: number, topics: ReturnType<typeof queueTopics>): QueueConfig {
  const own = { partitions, topics: { ...topics, fixed: [...topics.fixed], tiers: [...topics.tiers] } }
  if (!known) return { ...own, maxDelayMs: Number.MAX_SAFE_INTEGER, target: '(unknown)', allowedTargets: ['*'] }
  return {
    ...own,
    maxDelayMs: parseDuration(spec.maxDelay),
    allowedTargets: [...(spec.allowedTargets ?? [])],
    ...(spec.target && { target: spec.target.topic }),
    ...(spec.deduplication && { deduplicationMs: parseDuration(spec.deduplication.window) }),
  }
}

/** The queue's own group, or that of a pool of its namespace: the one that has committed offsets of the input. */
async function groupOf(admin: KafkaAdmin, namespace: string, name: string, input: string): Promise<string> {
  const own = `sluice.${namespace}.${name}.dq`
  const groups = (await admin.listGroups()).map(({ id }) => id).filter(id => id.startsWith(`sluice.${namespace}.`))
  for (const group of [own, ...groups.filter(id => id !== own)]) {
    const offsets = groups.includes(group) ? await admin.groupOffsets(group) : []
    if (offsets.some(({ topic }) => topic === input)) return group
  }
  return own
}
