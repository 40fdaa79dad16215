import { subjectOf, readManifest } from '../../api/manifest.ts'
import type { ManifestDocument } from '../../api/manifest.ts'
import { API_VERSION } from '../../api/resource.ts'
import type { Resource } from '../../api/resource.ts'
import { validateResource } from '../../api/validation.ts'
import type { ConnectionSettings } from '../../kafka/connection.ts'
import { definition as delayQueue } from '../../kinds/delay-queue/resource.ts'
import type { DelayQueue } from '../../kinds/delay-queue/resource.ts'
import { definition as kafkaConnection } from '../../kinds/kafka-connection/resource.ts'
import type { ResourceDefinition } from '../../api/definition.ts'
import type { KafkaLog } from '../../kafka/log.ts'
import { systemClock } from '../../observability/system-clock.ts'
import { resolveConnection } from '../../operator/connection-settings.ts'
import { FileSecrets } from '../../standalone/file-secrets.ts'
import { Folder } from '../../standalone/folder.ts'
import { connectionSettings } from '../cluster-options.ts'
import type { ClusterOptions } from '../cluster-options.ts'
import type { Desk } from './desk.ts'
import { findQueue, queueName } from './queue.ts'
import type { QueueOptions } from './queue.ts'

/** Opens what a command needs of one queue, and closes it whatever happens. */
export async function withDesk<T>(
  argument: string | undefined,
  options: QueueOptions & ClusterOptions,
  work: (desk: Desk, log: KafkaLog) => Promise<T>,
): Promise<T> {
  const name = queueName(argument, options)
  const { filename } = options
  const manifests = filename === undefined ? undefined : await manifestsOf(filename)
  const resource = manifests && (documentOf(manifests, delayQueue, name) as DelayQueue)
  const settings = await settingsFor(options, name.namespace, manifests, resource)
  const { platformaticAdmin } = await import('../../kafka/platformatic-admin.ts')
  const { confluentLog } = await import('../../kafka/confluent-log.ts')
  const admin = platformaticAdmin(settings, { clientId: 'sluice-cli' })
  const log = confluentLog(settings, { clientId: 'sluice-cli' })
  try {
    const queue = await findQueue(admin, name, options, resource)
    const reader = await log.reader()
    try {
      return await work({ queue, admin, reader, clock: systemClock }, log)
    } finally {
      await reader.close()
    }
  } finally {
    await admin.close()
  }
}

interface Manifests {
  readonly path: string
  readonly documents: readonly ManifestDocument[]
}

async function manifestsOf(path: string): Promise<Manifests> {
  const files = await new Folder(path).scan().catch((error: unknown) => {
    throw new Error(`--filename: cannot read ${path}: ${(error as Error).message}`)
  })
  return { path, documents: files.flatMap(({ file, text }) => readManifest(file, text).documents) }
}

function documentOf(
  { path, documents }: Manifests,
  definition: ResourceDefinition,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Resource {
  const document = documents.find(
    one => one.apiVersion === API_VERSION && one.kind === definition.kind && one.namespace === namespace && one.name === name,
  )
  if (document === undefined) throw new Error(`${path} has no ${definition.kind} ${namespace}/${name}`)
  const [violation] = validateResource(definition, document.object)
  if (violation !== undefined) throw new Error(`${document.file}: ${subjectOf(document)}: ${violation.field}: ${violation.message}`)
  const { apiVersion, kind, object } = document
  return { apiVersion, kind, metadata: { namespace, name }, spec: object.spec }
}

/** The options come first: the address in a manifest may be one that only pods can reach. */
async function settingsFor(
  options: ClusterOptions,
  namespace: string,
  manifests: Manifests | undefined,
  queue: DelayQueue | undefined,
): Promise<ConnectionSettings> {
  const told = options.connection !== undefined || options.bootstrap !== undefined || (process.env.KAFKA_BOOTSTRAP ?? '') !== ''
  if (told || manifests === undefined || queue === undefined) return connectionSettings(options)
  const connection = documentOf(manifests, kafkaConnection, { namespace, name: queue.spec.connectionRef.name })
  const resolution = await resolveConnection(connection, new FileSecrets([new Folder(manifests.path)]))
  if (!resolution.ok) throw new Error(`${manifests.path}: ${kafkaConnection.kind}/${connection.metadata.name}: ${resolution.message}`)
  return resolution.connection.settings
}
