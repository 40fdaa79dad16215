import type { TopicAdmin } from './binding.ts'
import { call } from './errors.ts'

const TIMEOUT_MS = 5000
/** Of a broker that is older than topic ids. */
const NONE = 'AAAAAAAAAAAAAAAAAAAAAA'

/** In the spelling of Kafka's own tools: base64url. */
export async function describeIds(admin: TopicAdmin, topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (topics.length === 0) return new Map()
  const answers = await call<readonly { readonly name: string; readonly topicId?: { readonly base64?: string } }[]>(
    'describe topics',
    done => {
      admin.describeTopics([...topics], { timeout: TIMEOUT_MS }, done)
    },
  )
  return new Map(
    answers.flatMap(({ name, topicId }) => {
      const id = topicId?.base64
      return id === undefined || id === NONE ? [] : [[name, id.replaceAll('+', '-').replaceAll('/', '_')] as const]
    }),
  )
}
