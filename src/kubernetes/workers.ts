import { refKey, type ResourceRef } from '../api/resource.ts'
import type { Contract } from '../operator/contract.ts'
import type { WorkersView } from '../operator/observed.ts'
import type { WorkerDeployment, WorkerPlatform } from '../operator/ports.ts'
import type { Applier } from './apply.ts'
import type { KubernetesClient } from './client.ts'
import { hasCode, KubernetesError } from './errors.ts'
import type { WatchedCollection } from './informers.ts'
import { pathOf, type KubernetesObject } from './object.ts'
import { ownerOf } from './ownership.ts'
import { CONTRACT_FILE, GENERATION_ANNOTATION, workerObjects, type WorkerImage } from './worker-objects.ts'

export interface WorkerPlatformOptions {
  readonly client: KubernetesClient
  readonly applier: Applier
  readonly image: WorkerImage
  readonly configMaps: WatchedCollection
  readonly deployments: WatchedCollection
  readonly budgets: WatchedCollection
}

/** Runs workers as a Deployment, told what to do by a ConfigMap, protected by a PodDisruptionBudget. */
export function createWorkerPlatform(options: WorkerPlatformOptions): WorkerPlatform {
  const { client, applier, configMaps, deployments, budgets } = options
  const collections = [configMaps, budgets, deployments]

  async function applyOne(object: KubernetesObject): Promise<readonly string[]> {
    const watched = collections.find(({ collection }) => collection.kind === object.kind)
    if (watched === undefined) throw new KubernetesError('Unexpected', `no informer for ${object.kind ?? 'an object without kind'}`)
    const stored = await applier.apply(watched.collection, object, watched.get(object.metadata.namespace ?? '', object.metadata.name))
    if (stored === undefined) return []
    watched.refresh(stored)
    return [`${watched.collection.kind} ${object.metadata.name}`]
  }

  async function deleteOne(watched: WatchedCollection, object: KubernetesObject): Promise<void> {
    const { namespace, name, uid } = object.metadata
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions: { uid } }
    try {
      await client.send({ method: 'DELETE', path: pathOf(watched.collection, namespace, name), body })
    } catch (error) {
      // A conflict: what was ours is gone and something else has the name.
      if (!hasCode(error, 'NotFound', 'Conflict')) throw error
    }
    applier.forget(watched.collection, object)
    watched.forget(object)
  }

  return {
    currentContract: ref => Promise.resolve(contractIn(ownedBy(configMaps, ref)[0])),
    async apply(deployment: WorkerDeployment) {
      const written: string[] = []
      for (const object of workerObjects(deployment, options.image)) written.push(...(await applyOne(object)))
      return written
    },
    view: ref => Promise.resolve(viewOf(ownedBy(deployments, ref)[0])),
    async remove(ref) {
      for (const watched of collections.toReversed()) {
        for (const object of ownedBy(watched, ref)) await deleteOne(watched, object)
      }
    },
    onChange(listener) {
      for (const watched of collections) {
        watched.onChange(object => {
          const owner = ownerOf(object)
          if (owner !== undefined) listener(owner)
        })
      }
    },
  }
}

const ownedBy = (watched: WatchedCollection, ref: ResourceRef): readonly KubernetesObject[] =>
  watched.list().filter(object => isOwner(ownerOf(object), ref))
const isOwner = (owner: ResourceRef | undefined, ref: ResourceRef): boolean => owner !== undefined && refKey(owner) === refKey(ref)

/** A contract that cannot be read counts as none: it will be written anew. */
function contractIn(configMap: KubernetesObject | undefined): Contract | undefined {
  const data = configMap?.data as Readonly<Record<string, string>> | undefined
  try {
    const contract = JSON.parse(data?.[CONTRACT_FILE] ?? 'null') as Contract | null
    return contract ?? undefined
  } catch {
    return undefined
  }
}

interface DeploymentStatus {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly updatedReplicas?: number
  readonly readyReplicas?: number
}

/**
 * While a roll-out mixes pods of two generations nothing is known of what every ready worker runs: the generation is 0 until all pods are of
 * the current template. A pod is ready only when it runs the generation of its template.
 */
export function viewOf(deployment: KubernetesObject | undefined): WorkersView | undefined {
  if (deployment === undefined) return undefined
  const spec = deployment.spec as { readonly replicas?: number } | undefined
  const status = (deployment.status ?? {}) as DeploymentStatus
  const pods = status.replicas ?? 0
  const rolledOut = (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0) && (status.updatedReplicas ?? 0) === pods
  return {
    desired: spec?.replicas ?? 1,
    ready: status.readyReplicas ?? 0,
    generation: rolledOut ? Number(deployment.metadata.annotations?.[GENERATION_ANNOTATION] ?? 0) : 0,
  }
}
