import type https from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'
import type { ApiServer } from './api-server.ts'

/**
 * The cluster of a kubeconfig, with all that may stand there: certificates, tokens, exec plug-ins, a proxy.
 * @param file otherwise KUBECONFIG, `~/.kube/config`
 */
export function fromKubeconfig(file: string | undefined): ApiServer | undefined {
  const config = new KubeConfig()
  if (file === undefined) config.loadFromDefault()
  else config.loadFromFile(file)
  const cluster = config.getCurrentCluster()
  if (cluster === null) return undefined
  return {
    url: cluster.server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    proxied: cluster.proxyUrl !== undefined,
    credentials: async () => {
      const settings: https.RequestOptions = { headers: {} }
      await config.applyToHTTPSOptions(settings)
      return settings
    },
  }
}
