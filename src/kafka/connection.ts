/** Everything a client needs to reach a cluster: credentials resolved, PEM text in memory, nothing that refers to Kubernetes. */
export interface ConnectionSettings {
  readonly bootstrapServers: readonly string[]
  readonly tls?: TlsSettings
  readonly sasl?: SaslSettings
}

export interface TlsSettings {
  /** PEM bundle to trust instead of the system's. */
  readonly ca?: string
  /** Client certificate chain and key, PEM: mutual TLS. */
  readonly certificate?: string
  readonly key?: string
  /** Encrypt without verifying the broker. For tests. */
  readonly insecureSkipVerify?: boolean
}

export type SaslSettings =
  | { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly username: string; readonly password: string }
  | {
      readonly mechanism: 'OAUTHBEARER'
      readonly tokenEndpoint: string
      readonly clientId: string
      readonly clientSecret: string
      readonly scope?: string
    }
