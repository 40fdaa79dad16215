import { sameConfigValue } from './config-value.ts'
import type { TopicView } from './observed.ts'
import type { Change, TopicIntent } from './plan.ts'

export interface SeenTopics {
  readonly topics: ReadonlyMap<string, TopicView>
  readonly vanishing: ReadonlySet<string>
}

/**
 * What must change for the topics to be as intended; empty when they are. A topic that is vanishing is left alone: creating one that a broker
 * has merely not told of yet would race with its deletion.
 */
export function diffTopics(intents: readonly TopicIntent[], seen: SeenTopics): readonly Change[] {
  return intents.flatMap(intent => {
    const view = seen.topics.get(intent.name)
    if (view !== undefined) return diffTopic(intent, view)
    return intent.create === undefined || seen.vanishing.has(intent.name) ? [] : [creation(intent, intent.create)]
  })
}

function creation(intent: TopicIntent, create: NonNullable<TopicIntent['create']>): Change {
  const configs = Object.entries(intent.configs).filter((entry): entry is [string, string] => entry[1] !== null)
  return { type: 'createTopic', topic: intent.name, ...create, configs: Object.fromEntries(configs) }
}

function diffTopic(intent: TopicIntent, view: TopicView): readonly Change[] {
  const changes: Change[] = []
  if (intent.partitions !== undefined && intent.partitions > view.partitions)
    changes.push({ type: 'addPartitions', topic: view.name, from: view.partitions, to: intent.partitions })
  for (const key in intent.configs) {
    const change = diffConfig(view, key, intent.configs[key] ?? null)
    if (change !== undefined) changes.push(change)
  }
  return changes
}

/** A default that equals the wanted value is as good as the topic's own; null asks for no value of the topic's own, whatever the default is. */
function diffConfig(view: TopicView, key: string, to: string | null): Change | undefined {
  const entry = view.configs.get(key)
  const from = entry?.value ?? null
  if (to === null) return entry?.source === 'Topic' ? { type: 'deleteConfig', topic: view.name, key, from } : undefined
  return sameConfigValue(key, from, to) ? undefined : { type: 'setConfig', topic: view.name, key, from, to }
}

/** The topic that a change is about; undefined for objects. */
export function topicOf(change: Change | undefined): string | undefined {
  switch (change?.type) {
    case 'createTopic':
    case 'addPartitions':
    case 'setConfig':
    case 'deleteConfig':
    case 'deleteTopic':
      return change.topic
    case 'applyObject':
    case 'deleteObject':
    case undefined:
      return undefined
  }
}
