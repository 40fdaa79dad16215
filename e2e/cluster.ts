import { join } from 'node:path'
import { sh } from './shell.ts'

/** A Kubernetes with real pods, wherever it comes from. */
export interface Cluster {
  readonly kubeconfig: string
  /** Address of this machine as pods reach it; undefined: they cannot, Kafka must be elsewhere. */
  readonly hostAddress: string | undefined
  readonly image: { readonly repository: string; readonly tag: string; readonly pullPolicy: 'Never' | 'IfNotPresent' }
  /** Puts an image archive onto the nodes; undefined: the image is pulled. */
  readonly loadImage: ((archive: string) => Promise<void>) | undefined
  /** It was there before and will be after: what a run brought is taken out again. */
  readonly stays: boolean
  down(): Promise<void>
}

const OWN_IMAGE = { repository: 'docker.io/sluice-e2e/sluice', tag: 'e2e', pullPolicy: 'Never' } as const

/** A given cluster, else kind where it is installed, else one of plain binaries on this machine. `folder` is for its state. */
export async function startCluster(folder: string): Promise<Cluster> {
  const given = process.env.SLUICE_E2E_KUBECONFIG
  if (given !== undefined) return givenCluster(given)
  const kind = await sh('kind', ['version'])
    .then(
      () => sh('docker', ['info']).then(() => true),
      () => false,
    )
    .catch(() => false)
  return kind ? kindCluster(folder) : plainCluster(join(folder, 'cluster'))
}

function givenCluster(kubeconfig: string): Cluster {
  const [, repository, tag] = /^(.+):([^:/]+)$/.exec(process.env.SLUICE_E2E_IMAGE ?? '') ?? []
  if (repository === undefined || tag === undefined)
    throw new Error('SLUICE_E2E_IMAGE must name an image (REPOSITORY:TAG) that the cluster of SLUICE_E2E_KUBECONFIG can pull')
  const image = { repository, tag, pullPolicy: 'IfNotPresent' } as const
  return { kubeconfig, image, hostAddress: undefined, loadImage: undefined, stays: true, down: () => Promise.resolve() }
}

async function kindCluster(folder: string): Promise<Cluster> {
  const name = 'sluice-e2e'
  const kubeconfig = join(folder, 'kubeconfig')
  await sh('kind', ['create', 'cluster', '--name', name, '--kubeconfig', kubeconfig, '--wait', '120s'])
  const gateways = await sh('docker', ['network', 'inspect', 'kind', '--format', '{{range .IPAM.Config}}{{.Gateway}} {{end}}'])
  return {
    kubeconfig,
    image: OWN_IMAGE,
    hostAddress: gateways.split(/\s+/).find(address => /^\d+(\.\d+){3}$/.test(address)),
    loadImage: async archive => {
      await sh('kind', ['load', 'image-archive', archive, '--name', name])
    },
    stays: false,
    down: async () => {
      await sh('kind', ['delete', 'cluster', '--name', name])
    },
  }
}

async function plainCluster(state: string): Promise<Cluster> {
  const down = async (): Promise<void> => {
    await sh(join(import.meta.dirname, 'cluster-down.sh'), [state])
  }
  try {
    await sh(join(import.meta.dirname, 'cluster-up.sh'), [state])
  } catch (error) {
    await down()
    throw error
  }
  return {
    kubeconfig: join(state, 'admin.kubeconfig'),
    image: OWN_IMAGE,
    hostAddress: '198.18.0.1',
    loadImage: async archive => {
      await sh('ctr', ['-a', join(state, 'containerd/socket'), '-n', 'k8s.io', 'images', 'import', archive])
    },
    stays: false,
    down,
  }
}
