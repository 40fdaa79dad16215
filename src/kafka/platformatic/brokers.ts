import { isIP } from 'node:net'
import { Connection, apiVersionsV3, findCoordinatorV4, metadataV12 } from '@platformatic/kafka'
import type { API, ConnectionOptions } from '@platformatic/kafka'
import type { ConnectionSettings, SaslSettings } from '../connection.ts'
import { KafkaError } from '../errors.ts'
import { fetchOAuthToken } from '../oauth.ts'
import { itemError, noneUsable, toKafkaError } from './errors.ts'

export type MetadataResponse = Awaited<ReturnType<typeof metadataV12.api.async>>

export interface Timeouts {
  readonly connectMs: number
  readonly requestMs: number
}

interface Address {
  readonly host: string
  readonly port: number
}

/** How long a coordinator may take to appear: the first group of a cluster makes the broker create its offsets topic. */
const COORDINATOR_PATIENCE_MS = 10_000
const COORDINATOR_PAUSE_MS = 100

/**
 * Connections to the brokers of one cluster, one per address, made when first used and dropped at the first sign of trouble: a broker that
 * comes back is simply connected again. We speak the library's protocol layer rather than its Admin class, which merges concurrent calls
 * under one key, resends whole batches after a partial failure and lets one unknown topic fail a metadata request.
 */
export class Brokers {
  readonly #bootstrap: readonly Address[]
  readonly #clientId: string
  readonly #options: (address: Address) => ConnectionOptions
  readonly #timeouts: Timeouts
  readonly #connections = new Map<string, Promise<Connection>>()
  /** Why a connection broke: the requests on it are told only that it was closed. */
  readonly #broken = new WeakMap<Connection, unknown>()
  #known: readonly Address[] = []
  #closed = false

  constructor(settings: ConnectionSettings, clientId: string, timeouts: Timeouts) {
    this.#bootstrap = settings.bootstrapServers.map(parseAddress)
    this.#clientId = clientId
    this.#timeouts = timeouts
    this.#options = address => connectionOptions(settings, address, timeouts)
  }

  /** A connection to any broker: the bootstrap servers first, then those that the cluster told us of. */
  async any(): Promise<Connection> {
    const errors: KafkaError[] = []
    for (const address of [...this.#bootstrap, ...this.#known]) {
      try {
        return await this.at(address)
      } catch (error) {
        errors.push(toKafkaError(keyOf(address), error))
      }
    }
    throw noneUsable(errors)
  }

  at(address: Address): Promise<Connection> {
    if (this.#closed) return Promise.reject(new KafkaError('BrokerUnreachable', 'the admin client is closed', { retriable: false }))
    const key = keyOf(address)
    const existing = this.#connections.get(key)
    if (existing !== undefined) return existing
    const made = this.#connect(address)
    this.#connections.set(key, made)
    made.catch(() => {
      this.#forget(key, made)
    })
    return made
  }

  /**
   * Sends one request and answers the response even where items of it failed: the library throws those away inside its error.
   * @throws KafkaError when there is no response.
   */
  async ask<Args extends unknown[], Response>(
    connection: Connection,
    operation: string,
    api: API<Args, Response>,
    ...args: Args
  ): Promise<Response> {
    const about = `${operation} at ${connection.host ?? '?'}:${connection.port ?? '?'}`
    try {
      return await within(this.#timeouts.requestMs + 1_000, about, api.async(connection, ...args))
    } catch (error) {
      const response = responseInside(error)
      if (response !== undefined) return response as Response
      const failure = this.#explained(about, connection, error)
      if (failure.code === 'Timeout' || failure.code === 'BrokerUnreachable') this.#drop(connection)
      throw failure
    }
  }

  /** Brokers and the named topics (`null`: all). Never creates a topic by asking for it. */
  async metadata(topics: readonly string[] | null): Promise<MetadataResponse> {
    const response = await this.ask(await this.any(), 'metadata', metadataV12.api, topics === null ? null : [...topics], false, false)
    this.#known = response.brokers
    return response
  }

  /** What the brokers speak: highest version per API key, and the finalized features. */
  async abilities(): Promise<{ readonly maxVersion: ReadonlyMap<number, number>; readonly features: ReadonlyMap<string, number> }> {
    const response = await this.ask(await this.any(), 'apiVersions', apiVersionsV3.api, 'sluice', '1')
    return {
      maxVersion: new Map(response.apiKeys.map(api => [api.apiKey, api.maxVersion])),
      features: new Map((response.finalizedFeatures ?? []).map(feature => [feature.name, feature.maxVersionLevel])),
    }
  }

  /** The broker that coordinates a group; waits, within bounds, for one to be elected. */
  async coordinator(groupId: string): Promise<Connection> {
    const deadline = performance.now() + COORDINATOR_PATIENCE_MS
    for (;;) {
      const response = await this.ask(await this.any(), 'findCoordinator', findCoordinatorV4.api, 0, [groupId])
      const [found] = response.coordinators
      const error = itemError(`group "${groupId}"`, found?.errorCode ?? 15, found?.errorMessage)
      if (found !== undefined && error === undefined) return this.at(found)
      if (error !== undefined && (!error.retriable || performance.now() > deadline)) throw error
      await new Promise(resolve => setTimeout(resolve, COORDINATOR_PAUSE_MS))
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#connections.values()]
    this.#connections.clear()
    await Promise.allSettled(open.map(async connection => (await connection).close()))
  }

  async #connect(address: Address): Promise<Connection> {
    const key = keyOf(address)
    const connection = new Connection(this.#clientId, this.#options(address))
    const forget = (): void => {
      this.#forget(key)
    }
    // An 'error' event without a listener would end the process.
    connection.on('error', (error: unknown) => {
      this.#broken.set(connection, error)
      forget()
    })
    connection.on('close', forget)
    try {
      await within(this.#timeouts.connectMs + 1_000, key, Promise.resolve(connection.connect(address.host, address.port)))
      return connection
    } catch (error) {
      await connection.close().catch(() => undefined)
      throw toKafkaError(key, error)
    }
  }

  /** A broker that wants a client certificate says so after the handshake (TLS 1.3): the connection breaks under the first request. */
  #explained(about: string, connection: Connection, error: unknown): KafkaError {
    const failure = toKafkaError(about, error)
    const why =
      failure.code === 'BrokerUnreachable' && this.#broken.has(connection) ? toKafkaError(about, this.#broken.get(connection)) : failure
    return why.code === 'Unexpected' ? failure : why
  }

  #forget(key: string, only?: Promise<Connection>): void {
    if (only === undefined || this.#connections.get(key) === only) this.#connections.delete(key)
  }

  #drop(connection: Connection): void {
    this.#forget(`${connection.host ?? ''}:${connection.port ?? ''}`)
    connection.close().catch(() => undefined)
  }
}

const keyOf = (address: Address): string => `${address.host}:${address.port}`

function parseAddress(server: string): Address {
  const [, host = server, port = '9092'] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(server) ?? []
  return { host, port: Number(port) }
}

function connectionOptions(settings: ConnectionSettings, address: Address, timeouts: Timeouts): ConnectionOptions {
  const { tls, sasl } = settings
  return {
    connectTimeout: timeouts.connectMs,
    requestTimeout: timeouts.requestMs,
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...(tls.ca === undefined ? {} : { ca: tls.ca }),
            ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
            ...(tls.key === undefined ? {} : { key: tls.key }),
            rejectUnauthorized: tls.insecureSkipVerify !== true,
          },
          // RFC 6066 allows no addresses in SNI.
          ...(isIP(address.host) === 0 ? { tlsServerName: true } : {}),
        }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
  }
}

const saslOptions = (sasl: SaslSettings): NonNullable<ConnectionOptions['sasl']> =>
  sasl.mechanism === 'OAUTHBEARER'
    ? { mechanism: sasl.mechanism, token: () => fetchOAuthToken(sasl) }
    : { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password }

/** The library has paths on which a call-back is never called (a connection that failed while another caller waited for it). */
async function within<T>(limitMs: number, about: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new KafkaError('Timeout', `${about}: no answer within ${limitMs} ms`, { retriable: true }))
    }, limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function responseInside(error: unknown): unknown {
  return error instanceof Error && Reflect.get(error, 'code') === 'PLT_KFK_RESPONSE' ? Reflect.get(error, 'response') : undefined
}
