import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One request as the API server saw it. */
export interface AuditEntry {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly requestURI: string
  readonly objectRef?: { readonly resource: string; readonly subresource?: string; readonly namespace?: string; readonly name?: string }
  readonly responseStatus?: { readonly code: number }
}

export interface AuditLog {
  /** Flags for kube-apiserver. */
  readonly flags: readonly string[]
  /** Everything that the user has asked so far. */
  of(username: string): readonly AuditEntry[]
  remove(): void
}

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection'])
/** Renewing the lease is what an operator at rest does. */
export const isWrite = ({ verb, objectRef }: AuditEntry): boolean => WRITES.has(verb) && objectRef?.resource !== 'leases'

/**
 * What was asked for and never granted. A single denial proves nothing: for a moment after its start an API server has not read the roles yet.
 */
export function denials(entries: readonly AuditEntry[]): readonly string[] {
  const permission = ({ verb, objectRef }: AuditEntry): string =>
    [verb, objectRef?.namespace ?? '*', objectRef?.resource ?? '', objectRef?.subresource ?? ''].join(' ')
  const isDenied = ({ responseStatus }: AuditEntry): boolean => responseStatus?.code === 403
  const granted = new Set(entries.filter(entry => !isDenied(entry)).map(permission))
  return [...new Set(entries.filter(isDenied).map(permission))].filter(wanted => !granted.has(wanted))
}

/** An audit log of every request, written before the answer is sent. */
export function auditLog(): AuditLog {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-audit-'))
  const policy = join(folder, 'policy.json')
  const path = join(folder, 'audit.log')
  const rules = [{ level: 'Metadata', omitStages: ['RequestReceived', 'ResponseStarted'] }]
  writeFileSync(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }))
  writeFileSync(path, '')
  return {
    flags: [`--audit-policy-file=${policy}`, `--audit-log-path=${path}`, '--audit-log-mode=blocking'],
    of: username =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter(line => line.includes(username))
        .map(line => JSON.parse(line) as AuditEntry)
        .filter(entry => entry.user.username === username),
    remove: () => {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
