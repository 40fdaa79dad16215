import { createHash, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import type { Resource, SecretKeyRef } from '../api/resource.ts'
import type { ConnectionSettings, SaslSettings, TlsSettings } from '../kafka/connection.ts'
import type { ContractConnection } from './contract.ts'
import type { SecretMount, SecretReader } from './ports.ts'

/** What the engine reads of a KafkaConnection. The schema lives with the kind; this is the part that the engine must understand. */
export interface ConnectionSpec {
  readonly bootstrapServers: readonly string[]
  readonly tls?: {
    readonly caSecretRef?: SecretKeyRef
    readonly clientCertificateSecretRef?: { readonly name: string }
    readonly insecureSkipVerify?: boolean
  }
  readonly sasl?: {
    readonly mechanism: SaslSettings['mechanism']
    readonly usernameSecretRef?: SecretKeyRef
    readonly passwordSecretRef?: SecretKeyRef
    readonly oauth?: {
      readonly tokenEndpoint: string
      readonly clientIdSecretRef: SecretKeyRef
      readonly clientSecretSecretRef: SecretKeyRef
      readonly scope?: string
    }
  }
  readonly defaults?: { readonly replicationFactor?: number; readonly minInsyncReplicas?: number }
  readonly allowedTopics?: readonly string[]
  readonly suspend?: boolean
}

/** A connection with its Secrets read: for the operator's own clients, and for the workers as files to read. */
export interface ResolvedConnection {
  readonly settings: ConnectionSettings
  readonly contract: ContractConnection
  readonly mounts: readonly SecretMount[]
  /** Tells one set of settings from another; stays in memory. */
  readonly fingerprint: string
}

export type Resolution = { readonly ok: true; readonly connection: ResolvedConnection } | { readonly ok: false; readonly message: string }

/** Keys of a Secret of type kubernetes.io/tls. */
const CERTIFICATE_KEY = 'tls.crt'
const PRIVATE_KEY = 'tls.key'

class MissingSecret extends Error {}

/** Reads the Secrets that the connection names; a missing one is an answer that names Secret and key. Rejects when Secrets cannot be read at all. */
export async function resolveConnection(resource: Resource, secrets: SecretReader): Promise<Resolution> {
  const spec = resource.spec as ConnectionSpec
  const folder = new SecretFolder(resource.metadata.namespace, secrets)
  try {
    const tls = spec.tls && (await resolveTls(spec.tls, folder))
    const sasl = spec.sasl && (await resolveSasl(spec.sasl, folder))
    const { bootstrapServers } = spec
    const settings = { bootstrapServers, ...(tls && { tls: tls.settings }), ...(sasl && { sasl: sasl.settings }) }
    const contract = { bootstrapServers, ...(tls && { tls: tls.contract }), ...(sasl && { sasl: sasl.contract }) }
    const fingerprint = createHash('sha256').update(JSON.stringify(settings)).digest('hex')
    return { ok: true, connection: { settings, contract, mounts: folder.mounts, fingerprint } }
  } catch (error) {
    if (error instanceof MissingSecret) return { ok: false, message: error.message }
    throw error
  }
}

/**
 * Hash of the credentials for an annotation that rolls the workers. Slow to compute on purpose: the annotation is readable by more people than
 * the Secret is, and a password may be short.
 */
export async function secretsHash({ settings }: ResolvedConnection, salt: string): Promise<string> {
  if (settings.sasl === undefined && settings.tls === undefined) return ''
  const key = await promisify<string, string, number, Buffer>(scrypt)(JSON.stringify([settings.tls, settings.sasl]), salt, 16)
  return key.toString('hex')
}

/** The Secrets of one namespace, each read once and remembered as a mount. */
class SecretFolder {
  readonly #namespace: string
  readonly #reader: SecretReader
  readonly #read = new Map<string, ReadonlyMap<string, Buffer>>()

  constructor(namespace: string, reader: SecretReader) {
    this.#namespace = namespace
    this.#reader = reader
  }

  get mounts(): readonly SecretMount[] {
    return [...this.#read.keys()].sort().map(secretName => ({ folder: secretName, secretName }))
  }

  async value({ name, key }: SecretKeyRef): Promise<string> {
    const values = this.#read.get(name) ?? (await this.#reader.read(this.#namespace, name))
    if (values === undefined)
      throw new MissingSecret(`Secret "${name}" does not exist in namespace "${this.#namespace}"; create it with key "${key}"`)
    this.#read.set(name, values)
    const value = values.get(key)
    if (value === undefined) throw new MissingSecret(`Secret "${name}" in namespace "${this.#namespace}" has no key "${key}"; add it`)
    return value.toString('utf8')
  }
}

const file = ({ name, key }: SecretKeyRef) => `${name}/${key}`

async function resolveTls(tls: NonNullable<ConnectionSpec['tls']>, secrets: SecretFolder) {
  const ca = tls.caSecretRef
  const client = tls.clientCertificateSecretRef
  const [certificate, key] = client
    ? [
        { name: client.name, key: CERTIFICATE_KEY },
        { name: client.name, key: PRIVATE_KEY },
      ]
    : []
  const skip = tls.insecureSkipVerify === true && { insecureSkipVerify: true }
  const settings: TlsSettings = {
    ...(ca && { ca: await secrets.value(ca) }),
    ...(certificate && key && { certificate: await secrets.value(certificate), key: await secrets.value(key) }),
    ...skip,
  }
  const contract: NonNullable<ContractConnection['tls']> = {
    ...(ca && { caFile: file(ca) }),
    ...(certificate && key && { certificateFile: file(certificate), keyFile: file(key) }),
    ...skip,
  }
  return { settings, contract }
}

async function resolveSasl(
  sasl: NonNullable<ConnectionSpec['sasl']>,
  secrets: SecretFolder,
): Promise<{ settings: SaslSettings; contract: NonNullable<ContractConnection['sasl']> }> {
  const { mechanism, usernameSecretRef: user, passwordSecretRef: password, oauth } = sasl
  if (mechanism === 'OAUTHBEARER') {
    if (oauth === undefined) throw new MissingSecret('spec.sasl.oauth is missing: OAUTHBEARER needs it')
    const { tokenEndpoint, clientIdSecretRef: id, clientSecretSecretRef: secret } = oauth
    const shared = { mechanism, tokenEndpoint, ...(oauth.scope !== undefined && { scope: oauth.scope }) }
    return {
      settings: { ...shared, clientId: await secrets.value(id), clientSecret: await secrets.value(secret) },
      contract: { ...shared, clientIdFile: file(id), clientSecretFile: file(secret) },
    }
  }
  if (user === undefined || password === undefined)
    throw new MissingSecret(`spec.sasl needs usernameSecretRef and passwordSecretRef for ${mechanism}`)
  return {
    settings: { mechanism, username: await secrets.value(user), password: await secrets.value(password) },
    contract: { mechanism, usernameFile: file(user), passwordFile: file(password) },
  }
}
