import type { Reason } from '../../api/reasons.ts'
import type { Observed, Probe } from '../../operator/observed.ts'
import type { Interest, Plan, Problem } from '../../operator/plan.ts'

/** A connection looks at no topic: its probe is all there is to it. */
export const interest: Interest = { topics: () => false, configKeys: [], sizes: false }

/** Says what the last probe found. Every failure is `NotReady`: a Secret, a listener or a broker may be put right without a change of the spec. */
export function plan(observed: Observed): Plan {
  const { probe } = observed.connection
  if (probe === undefined) return { topics: [], problems: [notReady('Probing', 'The first answer of the brokers is awaited.')], status: {} }
  return probe.ok ? { topics: [], problems: [], status: statusOf(probe) } : { topics: [], problems: [failure(probe)], status: {} }
}

function statusOf({ cluster }: Extract<Probe, { readonly ok: true }>): Readonly<Record<string, unknown>> {
  const { transactions, shareGroups, consumerProtocol } = cluster.features
  const features = [
    ...(transactions ? ['transactions'] : []),
    ...(consumerProtocol ? ['consumer-protocol'] : []),
    ...(shareGroups ? ['share-groups'] : []),
  ]
  return { clusterId: cluster.clusterId, brokers: cluster.brokers.length, features }
}

type Failure = Extract<Probe, { readonly ok: false }>

const failure = ({ code, message }: Failure): Problem => notReady(reasonOf(code), message)

const notReady = (reason: Reason, message: string): Problem => ({ severity: 'NotReady', reason, message })

/** Codes that are reasons of their own; a probe that meets any other (they are about topics, groups, records) got no usable answer. */
const REASONS: Partial<Record<Failure['code'], Reason>> = {
  SecretMissing: 'SecretNotFound',
  AuthenticationFailed: 'AuthenticationFailed',
  AuthorizationFailed: 'AuthorizationFailed',
  TlsFailed: 'TlsFailed',
  UnknownHost: 'UnknownHost',
}
const reasonOf = (code: Failure['code']): Reason => REASONS[code] ?? 'BrokerUnreachable'
