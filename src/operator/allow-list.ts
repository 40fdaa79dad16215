import { anyGlob } from '../api/glob.ts'
import { isInternalTopic, topicNameProblem } from '../api/topic-name.ts'
import type { ConnectionView } from './observed.ts'
import type { Problem, TopicIntent } from './plan.ts'

/** Topics named in one message; the rest are counted. */
const NAMED = 5

/** May resources of this connection create, change or delete the topic? Internal ones never, whatever the list says. */
export function mayWrite(connection: ConnectionView): (topic: string) => boolean {
  const listed = connection.allowedTopics === undefined ? () => true : anyGlob(connection.allowedTopics)
  return topic => !isInternalTopic(topic) && listed(topic)
}

export interface Judged {
  readonly allowed: readonly TopicIntent[]
  readonly problems: readonly Problem[]
}

/** Keeps the intents that the connection allows and that Kafka could take; the others become problems that only a human can solve. */
export function judgeTopics(intents: readonly TopicIntent[], connection: ConnectionView): Judged {
  const may = mayWrite(connection)
  const allowed: TopicIntent[] = []
  const refused: string[] = []
  const problems: Problem[] = []
  for (const intent of intents) {
    const invalid = topicNameProblem(intent.name)
    if (invalid !== undefined) problems.push({ severity: 'Stalled', reason: 'TopicFailed', message: `${invalid}; choose another name` })
    else if (may(intent.name)) allowed.push(intent)
    else refused.push(intent.name)
  }
  return { allowed, problems: refused.length === 0 ? problems : [...problems, notAllowed(refused, connection)] }
}

function notAllowed(topics: readonly string[], { ref, allowedTopics }: ConnectionView): Problem {
  const list = (allowedTopics ?? []).join(', ')
  const next = topics.every(isInternalTopic)
    ? 'internal topics are never changed'
    : `add them to spec.allowedTopics of KafkaConnection "${ref.name}" (now: ${list === '' ? 'none' : list}) or choose other names`
  return { severity: 'Stalled', reason: 'TopicNotAllowed', message: `not allowed to write ${nameTopics(topics)}: ${next}` }
}

/** `topic "a"`, `topics "a", "b" and 7 more`: for messages. */
export function nameTopics(topics: readonly string[]): string {
  const named = topics.slice(0, NAMED).map(topic => `"${topic}"`)
  const more = topics.length > NAMED ? ` and ${topics.length - NAMED} more` : ''
  return `${topics.length === 1 ? 'topic' : 'topics'} ${named.join(', ')}${more}`
}
