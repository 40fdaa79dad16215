import { API_VERSION, GROUP, type Resource, type ResourceRef } from '../api/resource.ts'
import { POOL } from '../operator/ports.ts'
import { fingerprint } from './equality.ts'
import { KubernetesError } from './errors.ts'
import type { KubernetesObject, OwnerReference } from './object.ts'

/** Who we are to server-side apply. */
export const FIELD_MANAGER = 'sluice-operator'

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by'
export const KIND_LABEL = `${GROUP}/kind`
export const NAME_LABEL = `${GROUP}/name`
/** Fingerprint of what was last applied: tells a field that we no longer want from one that is not ours. */
export const APPLIED_ANNOTATION = `${GROUP}/applied`

/** Selects what the operator made: informers of shared kinds must not hold the rest of the cluster. */
export const OWNED_SELECTOR = `${MANAGED_BY_LABEL}=${FIELD_MANAGER},${KIND_LABEL}`

/** A label value has at most 63 characters; a longer name is cut and told apart by a fingerprint. */
const labelValue = (name: string): string =>
  name.length <= 63 ? name : `${name.slice(0, 46).replace(/[^a-zA-Z0-9]+$/, '')}-${fingerprint(name)}`

/** Labels of everything made for a resource. */
export const ownedLabels = (ref: ResourceRef): Readonly<Record<string, string>> => ({
  'app.kubernetes.io/name': 'sluice',
  [MANAGED_BY_LABEL]: FIELD_MANAGER,
  [KIND_LABEL]: ref.kind,
  [NAME_LABEL]: labelValue(ref.name),
})

/** One of several owners: the object is removed when the last of them is gone. */
export function sharedOwnerReference(owner: Resource): OwnerReference {
  const { controller: _, ...reference } = ownerReference(owner)
  return { ...reference, blockOwnerDeletion: false }
}

/** Garbage collection removes the object with its owner. */
export function ownerReference(owner: Resource): OwnerReference {
  const { name, uid } = owner.metadata
  if (uid === undefined)
    throw new KubernetesError('Unexpected', `${owner.kind} ${owner.metadata.namespace}/${name} has no uid: it was never stored`)
  return { apiVersion: API_VERSION, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true }
}

/** The resource, or the pool, that an object was made for. */
export function ownerOf(object: KubernetesObject): ResourceRef | undefined {
  const { labels, namespace = '' } = object.metadata
  if (labels?.[KIND_LABEL] === POOL) return { kind: POOL, namespace, name: labels[NAME_LABEL] ?? '' }
  const owner = object.metadata.ownerReferences?.find(
    reference => reference.controller === true && reference.apiVersion.startsWith(`${GROUP}/`),
  )
  return owner === undefined ? undefined : { kind: owner.kind, namespace: object.metadata.namespace ?? '', name: owner.name }
}

/** @throws KubernetesError `NotOurs` when the object belongs to somebody else: it is never taken over. */
export function mustBeOurs(live: KubernetesObject, intent: KubernetesObject): void {
  const ours = live.metadata.labels?.[MANAGED_BY_LABEL] === FIELD_MANAGER
  const owner = ownerOf(live)
  const wanted = ownerOf(intent)
  if (ours && (owner === undefined || (owner.kind === wanted?.kind && owner.name === wanted.name))) return
  const belongs = owner === undefined ? 'was not made by Sluice' : `belongs to ${owner.kind} ${owner.name}`
  throw new KubernetesError(
    'NotOurs',
    `${intent.kind ?? 'object'} ${live.metadata.namespace ?? ''}/${live.metadata.name} exists and ${belongs}; delete or rename it, or rename ${wanted?.kind ?? ''} ${wanted?.name ?? ''}`,
  )
}
