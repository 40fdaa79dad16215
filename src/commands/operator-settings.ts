import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '../api/duration.ts'
import { blockList } from '../http/addresses.ts'
import type { WorkerImage } from '../kubernetes/index.ts'
import type { LogLevel } from '../observability/logger.ts'
import { parseConsoleAddress, parseListenAddress, type ListenAddress } from './listen-address.ts'

/** Everything that `sluice operator` can be told, by flag or by environment. */
export interface OperatorSettings {
  readonly kubeconfig?: string
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[]
  readonly workerImage: string
  readonly workerImagePullPolicy: WorkerImage['pullPolicy']
  readonly workerImagePullSecrets: readonly string[]
  readonly ruleLabels: Readonly<Record<string, string>>
  /** Addresses and ranges that workers may call although they would be refused. */
  readonly callsAllow: readonly string[]
  readonly listen: ListenAddress
  readonly console?: ListenAddress
  readonly consoleTlsCert?: string
  readonly consoleTlsKey?: string
  readonly leaderElection: 'on' | 'off'
  readonly leaseName: string
  readonly leaseNamespace?: string
  readonly resync: number
  readonly concurrency: number
  readonly logLevel: LogLevel
}

const PREFIX = 'SLUICE_'
/** Read by `bin/sluice` before Node starts. */
const OTHERS_VARIABLES: readonly string[] = ['SLUICE_CACHE']

/** The flags of `sluice operator`; each has an environment variable, and the flag wins. */
export const operatorOptions = (): readonly Option[] => [
  option('--kubeconfig <file>', 'KUBECONFIG', 'cluster to work on; default: the service account of the pod, KUBECONFIG, ~/.kube/config'),
  option('--namespaces <list>', 'NAMESPACES', 'namespaces to watch, separated by commas; default: all')
    .default([], 'all')
    .argParser(parseNames),
  option('--worker-image <image>', 'WORKER_IMAGE', 'image of the worker pods, usually that of the operator itself').makeOptionMandatory(),
  option('--worker-image-pull-policy <policy>', 'WORKER_IMAGE_PULL_POLICY', 'when to pull it')
    .choices(['Always', 'IfNotPresent', 'Never'])
    .default('IfNotPresent'),
  option('--worker-image-pull-secrets <list>', 'WORKER_IMAGE_PULL_SECRETS', 'Secrets with the credentials of its registry')
    .default([], 'none')
    .argParser(parseNames),
  option('--rule-labels <list>', 'RULE_LABELS', 'labels of every PrometheusRule, e.g. release=prometheus')
    .default({}, 'none')
    .argParser(parseLabels),
  option(
    '--calls-allow <list>',
    'CALLS_ALLOW',
    'addresses and ranges that workers may call although they are loopback, link-local or metadata',
  )
    .default([], 'none')
    .argParser(parseAddresses),
  option('--listen <host:port>', 'LISTEN', 'where /metrics, /livez and /readyz are served; port 0: any free one')
    .default({ host: '::', port: 8080 }, ':8080')
    .argParser(parseListenAddress),
  option(
    '--console <host:port>',
    'CONSOLE',
    'where the web console is served; a loopback address needs no token, any other asks the API server about each; default: nowhere',
  ).argParser(parseConsoleAddress),
  option('--console-tls-cert <file>', 'CONSOLE_TLS_CERT', 'PEM of the certificate of the console; read again when it changes'),
  option('--console-tls-key <file>', 'CONSOLE_TLS_KEY', 'PEM of its key'),
  option('--leader-election <on|off>', 'LEADER_ELECTION', 'off only with a single replica').choices(['on', 'off']).default('on'),
  option('--lease-name <name>', 'LEASE_NAME', 'Lease that the replicas elect with').default('sluice-operator'),
  option('--lease-namespace <namespace>', 'LEASE_NAMESPACE', "its namespace; default: POD_NAMESPACE, else the context's"),
  option('--resync <duration>', 'RESYNC', 'every resource is looked at again after this time').default(30_000, '30s').argParser(parseTime),
  option('--concurrency <number>', 'CONCURRENCY', 'resources reconciled at the same time').default(8).argParser(parseCount),
  option('--log-level <level>', 'LOG_LEVEL', 'least severe lines to log')
    .choices(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info'),
]

/**
 * A misspelt variable would silently leave a default in place.
 * @throws Error naming the unknown SLUICE_* variables and the known ones
 */
export function refuseUnknownVariables(environment: NodeJS.ProcessEnv, options: readonly Option[]): void {
  const known = new Set([...options.map(({ envVar }) => envVar), ...OTHERS_VARIABLES])
  const unknown = Object.keys(environment).filter(name => name.startsWith(PREFIX) && !known.has(name))
  if (unknown.length === 0) return
  throw new Error(`unknown environment ${unknown.sort().join(', ')}; known are ${[...known].sort().join(', ')}`)
}

/** A command that understands the settings; the action is the caller's. */
export function withSettings(command: Command): Command {
  for (const each of operatorOptions()) command.addOption(each)
  return command
}

const option = (flags: string, variable: string, description: string): Option => new Option(flags, description).env(PREFIX + variable)

const parseNames = (text: string): readonly string[] =>
  text
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')

export function parseAddresses(text: string): readonly string[] {
  const addresses = parseNames(text)
  try {
    blockList(addresses)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
  return addresses
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    parseNames(text).map(pair => {
      const [name, value, ...rest] = pair.split('=')
      if (name === undefined || name === '' || value === undefined || rest.length > 0)
        throw new InvalidArgumentError(`"${pair}" is not NAME=VALUE.`)
      return [name, value]
    }),
  )
}

function parseTime(text: string): number {
  try {
    return parseDuration(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 1_000) throw new InvalidArgumentError('Write a whole number from 1 to 1000.')
  return count
}
