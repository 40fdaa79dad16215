import { readFile } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import type { ConnectionSettings, SaslSettings, TlsSettings } from '../kafka/connection.ts'
import type { ContractConnection } from '../worker/contract.ts'

/** Where the platform puts the Secrets of a worker. */
export const DEFAULT_SECRETS_ROOT = '/etc/sluice/secrets'

/**
 * Reads the credentials that a contract refers to from files below `root`.
 * @throws Error naming the file, never what is in it.
 */
export async function readCredentials(connection: ContractConnection, root: string): Promise<ConnectionSettings> {
  const [tls, sasl] = await Promise.all([
    connection.tls && readTls(connection.tls, root),
    connection.sasl && readSasl(connection.sasl, root),
  ])
  return { bootstrapServers: connection.bootstrapServers, ...(tls && { tls }), ...(sasl && { sasl }) }
}

async function readTls(tls: NonNullable<ContractConnection['tls']>, root: string): Promise<TlsSettings> {
  const { caFile, certificateFile, keyFile, insecureSkipVerify } = tls
  return {
    ...(caFile !== undefined && { ca: await readBelow(root, caFile) }),
    ...(certificateFile !== undefined && { certificate: await readBelow(root, certificateFile) }),
    ...(keyFile !== undefined && { key: await readBelow(root, keyFile) }),
    ...(insecureSkipVerify === true && { insecureSkipVerify }),
  }
}

async function readSasl(sasl: NonNullable<ContractConnection['sasl']>, root: string): Promise<SaslSettings> {
  if (sasl.mechanism === 'OAUTHBEARER') {
    const { mechanism, tokenEndpoint, clientIdFile, clientSecretFile, scope } = sasl
    const [clientId, clientSecret] = [await readBelow(root, clientIdFile), await readBelow(root, clientSecretFile)]
    return { mechanism, tokenEndpoint, clientId, clientSecret, ...(scope !== undefined && { scope }) }
  }
  const { mechanism, usernameFile, passwordFile } = sasl
  return { mechanism, username: await readBelow(root, usernameFile), password: await readBelow(root, passwordFile) }
}

async function readBelow(root: string, file: string): Promise<string> {
  const path = join(root, file)
  const below = relative(root, path)
  if (isAbsolute(file) || below.startsWith('..'))
    throw new Error(`the contract refers to ${file}, which is not below the secrets root ${root}`)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read the secret file ${path}: ${(error as Error).message}; is the Secret mounted, or SLUICE_SECRETS set?`, {
      cause: error,
    })
  }
}
