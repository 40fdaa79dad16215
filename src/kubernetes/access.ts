import { createHash } from 'node:crypto'
import type { Clock } from '../api/clock.ts'
import { GROUP, VERSION } from '../api/resource.ts'
import { Refused } from '../console/ports.ts'
import type { Access, Caller, Right } from '../console/ports.ts'
import type { KubernetesClient } from './client.ts'

/** A token that was revoked works for so long; so does a right that was taken away. */
const TRUSTED_MS = 30_000
/** A right that was just given is seen soon. */
const DENIED_MS = 5_000
const MOST_REMEMBERED = 1_000
/** Anybody may send tokens: whoever guesses must not keep the API server busy. */
const MOST_REVIEWS = 20

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean
    readonly user?: {
      readonly username?: string
      readonly uid?: string
      readonly groups?: readonly string[]
      readonly extra?: Caller['extra']
    }
  }
}

/** The API server says who owns a token (TokenReview) and what he may do (SubjectAccessReview); answers are remembered for seconds. */
export function createAccess(client: KubernetesClient, clock: Clock): Access {
  const callers = new ShortMemory<Caller | undefined>(clock)
  const rights = new ShortMemory<boolean>(clock)
  let reviews = 0
  const bounded = async (token: string): Promise<Caller | undefined> => {
    if (reviews >= MOST_REVIEWS) throw new Refused(429, 'too many sign in at once: try again in a moment')
    reviews++
    try {
      return await review(client, token)
    } finally {
      reviews--
    }
  }
  return {
    mode: 'Token',
    authenticate: token =>
      token === undefined
        ? Promise.resolve(undefined)
        : callers.get(createHash('sha256').update(token).digest('base64'), () => bounded(token)),
    allows: (caller, right) =>
      rights.get(JSON.stringify([caller.name, caller.uid, caller.groups, caller.extra, right]), () => allows(client, caller, right)),
  }
}

async function review(client: KubernetesClient, token: string): Promise<Caller | undefined> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }
  const { status } = (await client.send({ method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews', body })) as TokenReview
  const { username, uid, groups, extra } = status?.user ?? {}
  if (status?.authenticated !== true || username === undefined || username === '') return undefined
  return { name: username, token, ...(uid !== undefined && { uid }), ...(groups && { groups }), ...(extra && { extra }) }
}

async function allows(client: KubernetesClient, { name: user, uid, groups, extra }: Caller, right: Right): Promise<boolean> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user, uid, groups, extra, resourceAttributes: { group: GROUP, version: VERSION, ...right } },
  }
  const answer = await client.send({ method: 'POST', path: '/apis/authorization.k8s.io/v1/subjectaccessreviews', body })
  return (answer as { readonly status?: { readonly allowed?: boolean } }).status?.allowed === true
}

/** Answers for some seconds, the same question asked once at a time. Failures are not remembered. */
class ShortMemory<T> {
  readonly #clock: Clock
  readonly #known = new Map<string, { readonly answer: Promise<T>; untilMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(question: string, ask: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#known.get(question)
    if (known !== undefined && nowMs < known.untilMs) return known.answer
    const entry = { answer: ask(), untilMs: Infinity }
    this.#known.delete(question)
    this.#known.set(question, entry)
    entry.answer.then(
      answer => {
        entry.untilMs = this.#clock.monotonicMs() + (answer === undefined || answer === false ? DENIED_MS : TRUSTED_MS)
      },
      () => this.#known.delete(question),
    )
    const [oldest] = this.#known.keys()
    if (this.#known.size > MOST_REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
    return entry.answer
  }
}
