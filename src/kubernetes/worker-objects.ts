import type {
  V1Container,
  V1DeploymentSpec,
  V1HTTPGetAction,
  V1PodSpec,
  V1TopologySpreadConstraint,
  V1Volume,
  V1VolumeMount,
} from '@kubernetes/client-node'
import { POOL, type SecretMount, type WorkerDeployment } from '../operator/ports.ts'
import { fingerprint } from './equality.ts'
import { CONFIG_MAPS, DEPLOYMENTS, DISRUPTION_BUDGETS, type KubernetesObject, type Metadata, type Plain } from './object.ts'
import { ownedLabels, ownerReference, sharedOwnerReference } from './ownership.ts'

/** What all worker pods of an operator have in common. */
export interface WorkerImage {
  readonly image: string
  readonly pullPolicy: 'Always' | 'IfNotPresent' | 'Never'
  readonly pullSecrets: readonly string[]
}

export const GENERATION_ANNOTATION = 'sluice.dev/contract-generation'
export const CONTRACT_FILE = 'contract.json'
const CONTRACT_HASH_ANNOTATION = 'sluice.dev/contract-hash'
const SECRETS_HASH_ANNOTATION = 'sluice.dev/secrets-hash'

const CONTRACT_FOLDER = '/etc/sluice/contract'
const SECRETS_FOLDER = '/etc/sluice/secrets'
const PORT = 8080
/** `nonroot` of the common base images. */
const USER_ID = 65_532
/** Longer than the 25 s that a worker gives itself to end its transaction and leave the group. */
const GRACE_SECONDS = 45
/** The default memory budget one and a half times, and what a worker needs besides (`budgetWithin`): a lower limit lowers the budget. */
const DEFAULT_RESOURCES = { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '640Mi' } }

/** Everything that runs the workers of one resource or pool, in the order in which it must exist. Pure. */
export function workerObjects(deployment: WorkerDeployment, image: WorkerImage): readonly KubernetesObject[] {
  return [contractMap(deployment), disruptionBudget(deployment), workerDeployment(deployment, image)]
}

/** The contract as the file that the pods mount. */
export const contractMap = (deployment: WorkerDeployment): KubernetesObject => ({
  apiVersion: CONFIG_MAPS.apiVersion,
  kind: CONFIG_MAPS.kind,
  metadata: metadata(deployment),
  // Of a pool as short as it goes: a ConfigMap holds 1 MiB.
  data: { [CONTRACT_FILE]: `${JSON.stringify(deployment.contract, null, isPool(deployment) ? 0 : 2)}\n` },
})

/** One pod at a time may be drained; one that is broken anyway never blocks a node. */
export const disruptionBudget = (deployment: WorkerDeployment): KubernetesObject => ({
  apiVersion: DISRUPTION_BUDGETS.apiVersion,
  kind: DISRUPTION_BUDGETS.kind,
  metadata: metadata(deployment),
  spec: { maxUnavailable: 1, selector: { matchLabels: selector(deployment) }, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
})

export function workerDeployment(deployment: WorkerDeployment, image: WorkerImage): KubernetesObject {
  const { annotations, labels, ...own } = metadata(deployment)
  // Pods of a pool follow the contract as it changes: only what they cannot follow may replace them.
  const generation = isPool(deployment) ? {} : { [GENERATION_ANNOTATION]: String(deployment.contract.generation) }
  const spec: Plain<V1DeploymentSpec> = {
    replicas: deployment.replicas,
    selector: { matchLabels: selector(deployment) },
    // The newcomer joins the group before the predecessor leaves it: each partition moves once.
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    revisionHistoryLimit: 2,
    template: {
      metadata: {
        labels: { ...deployment.podTemplate?.labels, ...labels },
        annotations: {
          ...deployment.podTemplate?.annotations,
          ...generation,
          [CONTRACT_HASH_ANNOTATION]: fingerprint(isPool(deployment) ? fixedPart(deployment) : deployment.contract),
          [SECRETS_HASH_ANNOTATION]: deployment.secretsHash,
        },
      },
      spec: podSpec(deployment, image),
    },
  }
  return {
    apiVersion: DEPLOYMENTS.apiVersion,
    kind: DEPLOYMENTS.kind,
    metadata: { ...own, ...(labels && { labels }), annotations: { ...annotations, ...generation } },
    spec,
  }
}

function metadata(deployment: WorkerDeployment): Metadata {
  const { of, owners, name } = deployment
  return {
    name,
    namespace: of.namespace,
    labels: { ...ownedLabels(of), ...selector(deployment) },
    ownerReferences: owners.map(isPool(deployment) ? sharedOwnerReference : ownerReference),
  }
}

const isPool = ({ of }: WorkerDeployment): boolean => of.kind === POOL

/** What running workers cannot take up. */
const fixedPart = ({ contract: { generation: _, resources: __, ...fixed } }: WorkerDeployment): unknown => fixed

/** Immutable once created. The name of the objects is short and unique in its namespace, as a label must be. */
const selector = (deployment: WorkerDeployment): Record<string, string> => ({
  'app.kubernetes.io/component': 'worker',
  'app.kubernetes.io/instance': deployment.name,
})

function podSpec(deployment: WorkerDeployment, image: WorkerImage): Plain<V1PodSpec> {
  const template = deployment.podTemplate ?? {}
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map(key => spread(key, deployment)),
    ...(image.pullSecrets.length > 0 && { imagePullSecrets: image.pullSecrets.map(name => ({ name })) }),
    ...(template.serviceAccountName !== undefined && { serviceAccountName: template.serviceAccountName }),
    ...(template.priorityClassName !== undefined && { priorityClassName: template.priorityClassName }),
    ...(template.nodeSelector !== undefined && { nodeSelector: template.nodeSelector }),
    // The schema of the kind has judged these two; here they only pass through.
    ...(template.tolerations !== undefined && { tolerations: template.tolerations as NonNullable<Plain<V1PodSpec>['tolerations']> }),
    ...(template.affinity !== undefined && { affinity: template.affinity as NonNullable<Plain<V1PodSpec>['affinity']> }),
    containers: [container(deployment, image)],
    volumes: [
      { name: 'contract', configMap: { name: deployment.name } },
      { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
      ...deployment.secrets.map(secretVolume),
    ],
  }
}

const spread = (topologyKey: string, deployment: WorkerDeployment): Plain<V1TopologySpreadConstraint> => ({
  maxSkew: 1,
  topologyKey,
  whenUnsatisfiable: 'ScheduleAnyway',
  labelSelector: { matchLabels: selector(deployment) },
})

function container(deployment: WorkerDeployment, image: WorkerImage): Plain<V1Container> {
  return {
    name: 'worker',
    image: image.image,
    imagePullPolicy: image.pullPolicy,
    command: ['/app/bin/sluice', 'worker', '--contract', `${CONTRACT_FOLDER}/${CONTRACT_FILE}`],
    env: [
      // The worker is not ready before it runs this generation: a kubelet may mount a ConfigMap that is a minute old.
      ...(isPool(deployment) ? [] : [{ name: 'SLUICE_CONTRACT_GENERATION', value: String(deployment.contract.generation) }]),
      { name: 'SLUICE_SECRETS', value: SECRETS_FOLDER },
      // Kept when the container is started anew, and with it the claim to the partitions of the life before.
      { name: 'SLUICE_WORKER_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    ],
    ports: [{ name: 'http', containerPort: PORT, protocol: 'TCP' }],
    // Longer than a worker waits for a ConfigMap that is older than its pod.
    startupProbe: { httpGet: probe('/livez'), periodSeconds: 3, timeoutSeconds: 3, failureThreshold: 40 },
    livenessProbe: { httpGet: probe('/livez'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { httpGet: probe('/readyz'), periodSeconds: 3, timeoutSeconds: 3, failureThreshold: 2 },
    // All or nothing: a default limit below a request of the user would be refused.
    resources: deployment.resources ?? DEFAULT_RESOURCES,
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [
      { name: 'contract', mountPath: CONTRACT_FOLDER, readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
      ...deployment.secrets.map(secretMount),
    ],
  }
}

const probe = (path: string): Plain<V1HTTPGetAction> => ({ path, port: 'http', scheme: 'HTTP' })

/** Readable by the group of the pod only. */
const secretVolume = ({ secretName }: SecretMount, index: number): Plain<V1Volume> => ({
  name: `secret-${index}`,
  secret: { secretName, defaultMode: 0o440 },
})
const secretMount = ({ folder }: SecretMount, index: number): Plain<V1VolumeMount> => ({
  name: `secret-${index}`,
  mountPath: `${SECRETS_FOLDER}/${folder}`,
  readOnly: true,
})
