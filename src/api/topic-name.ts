/** Kafka's rule: letters, digits, `.`, `_`, `-`; at most 249 characters; not `.` or `..`. */
export const TOPIC_PATTERN = '^[a-zA-Z0-9._-]+$'
export const TOPIC_MAX_LENGTH = 249

/** Why Kafka would refuse the name, or undefined. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'a topic name must not be empty'
  if (name === '.' || name === '..') return `"${name}" is not a topic name`
  if (name.length > TOPIC_MAX_LENGTH) return `a topic name has at most ${TOPIC_MAX_LENGTH} characters; this one has ${name.length}`
  if (!new RegExp(TOPIC_PATTERN).test(name)) return `"${name.slice(0, 60)}" has characters other than letters, digits, ".", "_" and "-"`
  return undefined
}

/** Internal topics (`__consumer_offsets`, `__transaction_state`, ...) are never matched, written or changed. */
export const isInternalTopic = (name: string): boolean => name.startsWith('__')

/** `<namespace>.<name>.<role>`, or `<prefix>.<role>` where the spec overrides it: the one place that names topics. */
export const topicName = (
  owner: { readonly namespace: string; readonly name: string },
  topicPrefix: string | undefined,
  role: string,
): string => `${topicPrefix ?? `${owner.namespace}.${owner.name}`}.${role}`
