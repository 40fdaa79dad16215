import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type https from 'node:https'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { ApiServer } from './api-server.ts'

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
/** The kubelet renews the token well before it expires; client-go reads it again as often. */
const READ_AGAIN_MS = 60_000

/** The service account of the pod that this process runs in; undefined outside of one. */
export function podAccount(
  env: Readonly<Record<string, string | undefined>>,
  { folder = FOLDER, nowMs = () => performance.now() }: { readonly folder?: string; readonly nowMs?: () => number } = {},
): ApiServer | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (host === undefined) return undefined
  let known: Promise<https.RequestOptions> | undefined
  let readAtMs = 0
  return {
    url: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    namespace: namespaceIn(folder),
    proxied: false,
    credentials: () => {
      if (known === undefined || nowMs() - readAtMs >= READ_AGAIN_MS) {
        readAtMs = nowMs()
        known = read(folder)
        // What cannot be read now is asked for again, not remembered.
        known.catch(() => (known = undefined))
      }
      return known
    },
  }
}

async function read(folder: string): Promise<https.RequestOptions> {
  const [ca, token] = await Promise.all(['ca.crt', 'token'].map(name => readFile(join(folder, name), 'utf8')))
  return { ...(ca !== undefined && { ca }), headers: { Authorization: `Bearer ${(token ?? '').trim()}` } }
}

function namespaceIn(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'namespace'), 'utf8').trim()
  } catch {
    return undefined
  }
}
