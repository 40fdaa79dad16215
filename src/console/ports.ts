import type { Resource, ResourceRef } from '../api/resource.ts'

/** Who asks, proven. */
export interface Caller {
  readonly name: string
  /** What proved it; undefined: nothing had to be proven. */
  readonly token?: string
  readonly uid?: string
  readonly groups?: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** Something to be allowed, in the words of Kubernetes; the API group is ours. */
export interface Right {
  readonly verb: 'get' | 'list' | 'create' | 'patch'
  /** Plural, e.g. `deadletterpipelines`. */
  readonly resource: string
  readonly subresource?: string
  /** undefined: in all namespaces. */
  readonly namespace?: string
  readonly name?: string
}

/** Decides who may do what. */
export interface Access {
  /** Token: every request carries a bearer token. None: who reaches the address may do everything; it must be a loopback address. */
  readonly mode: 'Token' | 'None'
  /** undefined: not proven. */
  authenticate(token: string | undefined): Promise<Caller | undefined>
  allows(caller: Caller, right: Right): Promise<boolean>
}

/** Resources as they were last seen. */
export interface ResourceReader {
  list(kind: string): readonly Resource[]
  get(ref: ResourceRef): Resource | undefined
}

/** A resource to be made. */
export interface NewResource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly namespace: string; readonly name: string; readonly annotations: Readonly<Record<string, string>> }
  readonly spec: object
}

/** Makes and changes resources in the name of a caller. */
export interface ResourceWriter {
  /** @throws Refused when the place where resources live will not have it */
  create(caller: Caller, resource: NewResource): Promise<void>
  /** Sets or removes `spec.suspend`. @throws Refused */
  suspend(caller: Caller, ref: ResourceRef, suspended: boolean): Promise<void>
}

/** A request that cannot be granted; the message is for the user and says what to do. */
export class Refused extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 421 | 429 | 503

  constructor(status: Refused['status'], message: string) {
    super(message)
    this.status = status
  }
}

/** For a loopback address: who can open it is on this machine, or was let through to it. */
export const NO_ACCESS_CONTROL: Access = {
  mode: 'None',
  authenticate: () => Promise.resolve({ name: 'console' }),
  allows: () => Promise.resolve(true),
}
