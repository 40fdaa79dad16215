import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server on loopback, so that a test can take the connections away. */
export interface TcpProxy {
  readonly port: number
  /** Connections open now. */
  readonly connections: number
  /** Resets every open connection; new ones are let through. */
  cut(): void
  /** Resets every connection and refuses new ones until `heal`. */
  block(): void
  heal(): void
  close(): Promise<void>
}

/** Forwards a free loopback port to `target` on loopback. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let blocked = false
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const server = createServer(client => {
    if (blocked) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(targetPort, '127.0.0.1')
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
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
      return sockets.size / 2
    },
    cut,
    block: () => {
      blocked = true
      cut()
    },
    heal: () => {
      blocked = false
    },
    close: async () => {
      cut()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
