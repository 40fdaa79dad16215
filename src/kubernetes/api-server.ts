import type https from 'node:https'

/** Where the API server is, and how to prove who we are. */
export interface ApiServer {
  readonly url: string
  /** Namespace of the current context, or of the pod. */
  readonly namespace: string | undefined
  /** TLS options and headers for a request that is about to be sent: credentials are renewed in between. */
  credentials(): Promise<https.RequestOptions>
  /** The credentials bring an agent that goes through a proxy: it must be used. */
  readonly proxied: boolean
}
