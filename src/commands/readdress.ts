import { servers } from './cluster-options.ts'

/** Puts another address into every KafkaConnection, for a cluster that is reached in another way from here; undefined: leave them alone. */
export function readdress(bootstrap: string | undefined): ((kind: string, spec: unknown) => unknown) | undefined {
  if (bootstrap === undefined) return undefined
  const bootstrapServers = servers(bootstrap)
  return (kind, spec) => (kind === 'KafkaConnection' ? { ...(spec as object), bootstrapServers } : spec)
}
