import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import type { KafkaAdmin } from '../kafka/admin.ts'
import type { ConnectionSettings, SaslSettings, TlsSettings } from '../kafka/connection.ts'

/** How the commands for daily work are told of a cluster. Secrets are files: what stands in an argument stands in the process list. */
export interface ClusterOptions {
  readonly bootstrap?: string
  readonly connection?: string
  readonly tls?: boolean
  readonly tlsCa?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsInsecureSkipVerify?: boolean
  readonly saslMechanism?: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username?: string
  readonly passwordFile?: string
}

const GROUP = 'Cluster:'
const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup(GROUP)

/** Adds the options of `ClusterOptions`. */
export function withClusterOptions(command: Command): Command {
  return command
    .addOption(option('-b, --bootstrap <host:port,...>', 'brokers to ask first (environment: KAFKA_BOOTSTRAP)'))
    .addOption(option('--connection <file[#name]>', 'a KafkaConnection manifest with its Secrets, instead of the options below'))
    .addOption(option('--tls', 'encrypt; implied by the other tls options'))
    .addOption(option('--tls-ca <file>', "PEM of the authorities to trust instead of the system's"))
    .addOption(option('--tls-cert <file>', 'PEM of the client certificate'))
    .addOption(option('--tls-key <file>', 'PEM of its key'))
    .addOption(option('--tls-insecure-skip-verify', 'do not verify the broker; for tests'))
    .addOption(option('--sasl-mechanism <name>', 'how to authenticate').choices(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']))
    .addOption(option('--username <name>', 'user name for SASL'))
    .addOption(option('--password-file <file>', 'file with the password; its last line break is not part of it'))
}

/**
 * Credentials resolved, files read.
 * @throws Error that names the option to add or to change.
 */
export async function connectionSettings(
  options: ClusterOptions,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ConnectionSettings> {
  if (options.connection !== undefined) {
    const clash = Object.keys(options).find(name => /^(tls|sasl|username|password)/.test(name))
    if (clash !== undefined) throw new Error(`--connection brings its own credentials: remove --${dashed(clash)}`)
    const { settingsOfManifest } = await import('./connection-manifest.ts')
    const settings = await settingsOfManifest(options.connection)
    return options.bootstrap === undefined ? settings : { ...settings, bootstrapServers: servers(options.bootstrap) }
  }
  const bootstrap = options.bootstrap ?? environment.KAFKA_BOOTSTRAP
  if (bootstrap === undefined || bootstrap === '')
    throw new Error('which cluster? Give --bootstrap HOST:PORT or --connection FILE, or set KAFKA_BOOTSTRAP')
  const [tls, sasl] = [await tlsSettings(options), await saslSettings(options)]
  return { bootstrapServers: servers(bootstrap), ...(tls && { tls }), ...(sasl && { sasl }) }
}

/** Opens a connection for one command and closes it whatever happens. */
export async function withAdmin<T>(options: ClusterOptions, work: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const settings = await connectionSettings(options)
  const { platformaticAdmin } = await import('../kafka/platformatic-admin.ts')
  const admin = platformaticAdmin(settings, { clientId: 'sluice-cli' })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}

const dashed = (name: string): string => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)

/** `host:port,host:port` or an error: a forgotten port would be searched for in silence. */
export function servers(text: string): readonly string[] {
  return text.split(',').map(part => {
    const server = part.trim()
    if (!/^(\[[0-9a-fA-F:.]+\]|[^\s:,]+):\d{1,5}$/.test(server))
      throw new Error(`"${server.slice(0, 80)}" is not HOST:PORT; write e.g. kafka.example.com:9092`)
    const port = Number(server.slice(server.lastIndexOf(':') + 1))
    if (port < 1 || port > 65_535) throw new Error(`"${server.slice(0, 80)}": the port must be from 1 to 65535`)
    return server
  })
}

async function tlsSettings(options: ClusterOptions): Promise<TlsSettings | undefined> {
  const { tls, tlsCa, tlsCert, tlsKey, tlsInsecureSkipVerify } = options
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new Error('--tls-cert and --tls-key belong together: give both')
  if (tls !== true && tlsCa === undefined && tlsCert === undefined && tlsInsecureSkipVerify !== true) return undefined
  const [ca, certificate, key] = await Promise.all([read('--tls-ca', tlsCa), read('--tls-cert', tlsCert), read('--tls-key', tlsKey)])
  return {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
    ...(tlsInsecureSkipVerify === true && { insecureSkipVerify: true }),
  }
}

async function saslSettings({ saslMechanism, username, passwordFile }: ClusterOptions): Promise<SaslSettings | undefined> {
  if (saslMechanism === undefined) {
    if (username !== undefined || passwordFile !== undefined) throw new Error('--username and --password-file need --sasl-mechanism')
    return undefined
  }
  const password = await read('--password-file', passwordFile)
  if (username === undefined || password === undefined)
    throw new Error(`--sasl-mechanism ${saslMechanism} needs --username and --password-file`)
  return { mechanism: saslMechanism, username, password: password.replace(/\r?\n$/, '') }
}

async function read(flag: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Error(`${flag}: cannot read ${file}: ${(error as Error).message}`, { cause: error })
  }
}
