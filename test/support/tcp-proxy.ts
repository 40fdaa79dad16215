import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server on loopback, so that a test can take the connections away. */
export interface TcpProxy {
  readonly port: number
  /** Connections open now. */
  readonly connections: number
  /** Resets every open connection that is `chosen` (default: all); new ones are let through. */
  cut(chosen?: () => boolean): void
  /** Lets nothing pass on the open connections that are `chosen` until `heal`, when what was held arrives late; new connections work. */
  stall(chosen?: () => boolean): void
  /** Resets every connection and refuses new ones until `heal`. */
  block(): void
  heal(): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
}

/** Forwards a free loopback port to `target` on loopback. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let blocked = false
  const cut = (chosen = (): boolean => true): void => {
    for (const { client, upstream } of [...pairs].filter(chosen)) {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
  }
  const server = createServer(client => {
    if (blocked) {
      client.resetAndDestroy()
      return
    }
    const pair = { client, upstream: connect(targetPort, '127.0.0.1') }
    pairs.add(pair)
    for (const [socket, other] of bothWays(pair)) {
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        pairs.delete(pair)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    port: address.port,
    get connections() {
      return pairs.size
    },
    cut,
    stall: (chosen = () => true) => {
      for (const pair of [...pairs].filter(chosen)) for (const [socket, other] of bothWays(pair)) socket.unpipe(other).pause()
    },
    block: () => {
      blocked = true
      cut()
    },
    heal: () => {
      blocked = false
      for (const pair of pairs) for (const [socket, other] of bothWays(pair)) socket.unpipe(other).pipe(other)
    },
    close: async () => {
      cut()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

const bothWays = ({ client, upstream }: Pair): readonly (readonly [Socket, Socket])[] => [
  [client, upstream],
  [upstream, client],
]
