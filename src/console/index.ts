import type { Clock } from '../api/clock.ts'
import type { KafkaAdminFactory } from '../kafka/admin.ts'
import type { KafkaLogFactory } from '../kafka/log.ts'
import type { HttpServer } from '../observability/http.ts'
import type { Logger } from '../observability/logger.ts'
import type { SecretReader } from '../operator/ports.ts'
import { lookRoutes } from './dead-letters/look.ts'
import { pipelineRoutes } from './dead-letters/pipelines.ts'
import { redriveRoutes } from './dead-letters/redrives.ts'
import { Desks } from './desks.ts'
import type { Access, ResourceReader, ResourceWriter } from './ports.ts'
import type { Route } from './route.ts'
import { serveConsole } from './server.ts'
import type { ConsoleAddress } from './server.ts'
import { Turns } from './turns.ts'

export interface ConsoleOptions {
  readonly resources: ResourceReader
  /** False: the resources have not been listed yet. */
  readonly ready: () => boolean
  readonly secrets: SecretReader
  readonly access: Access
  readonly writer: ResourceWriter
  readonly adminFactory: KafkaAdminFactory
  readonly logFactory: () => Promise<KafkaLogFactory>
  readonly clock: Clock
  readonly logger: Logger
}

const SEARCHES_AT_ONCE = 2
const SEARCHES_WAITING = 8

/** Puts the sections together and serves them. */
export function startConsole(options: ConsoleOptions, address: ConsoleAddress): Promise<HttpServer> {
  const section = { ...options, desks: new Desks(options), turns: new Turns(SEARCHES_AT_ONCE, SEARCHES_WAITING) }
  const routes = [session(options.access), ...pipelineRoutes(section), ...lookRoutes(section), ...redriveRoutes(section)]
  return serveConsole({ ...options, routes }, address)
}

/** Who one is, for the page to show; also how it finds out whether a token is taken. */
const session = ({ mode }: Access): Route => ({
  method: 'GET',
  path: '/session',
  answer: ({ caller }) => ({ user: caller.name, mode }),
})
