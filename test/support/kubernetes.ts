import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePorts } from './ports.ts'

/**
 * A real etcd and kube-apiserver on loopback. There is no controller manager: a deleted namespace stays Terminating, owner references are
 * not followed, nothing makes pods of a Deployment.
 */
export interface TestKubernetes {
  /** `https://127.0.0.1:PORT`; the same after a restart. */
  readonly server: string
  /** PEM of the authority of the server. */
  readonly ca: string
  /** Bearer token of a member of system:masters. */
  readonly token: string
  /** Of that administrator; as an object and as a file. */
  readonly kubeconfig: Kubeconfig
  readonly kubeconfigPath: string
  /** Everything of this cluster, logs included; removed by `stop`. */
  readonly dir: string
  /** Runs kubectl as the administrator, or with another kubeconfig. Never rejects: a failure is a code and what kubectl said. */
  kubectl(args: readonly string[], options?: { readonly input?: string; readonly kubeconfigPath?: string }): Promise<KubectlResult>
  /** Installs the CRDs of the folder (crds/ of the project) and waits until the server serves them. */
  applyCrds(folder?: string): Promise<void>
  /** A kubeconfig file for a service account, which is created if missing; RBAC applies to it. */
  serviceAccount(namespace: string, name: string): Promise<string>
  stopApiServer(signal?: NodeJS.Signals): Promise<void>
  /** Resolves when the server is ready. */
  startApiServer(): Promise<void>
  restart(): Promise<void>
  /** Stops both processes and removes the folder. Idempotent. */
  stop(): Promise<void>
}

export interface KubectlResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Kubeconfig {
  readonly apiVersion: 'v1'
  readonly kind: 'Config'
  readonly clusters: readonly {
    readonly name: string
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string }
  }[]
  readonly users: readonly { readonly name: string; readonly user: { readonly token: string } }[]
  readonly contexts: readonly { readonly name: string; readonly context: { readonly cluster: string; readonly user: string } }[]
  readonly 'current-context': string
}

export interface KubernetesOptions {
  /** More flags for kube-apiserver, e.g. `--min-request-timeout=5`. */
  readonly apiServerFlags?: readonly string[]
  /** How long Events are kept; 1h by default. */
  readonly eventTtl?: string
}

const ROOT = resolve(import.meta.dirname, '../..')
const START_DEADLINE_MS = 60_000
const STOP_DEADLINE_MS = 10_000
const run = promisify(execFile)

/** Starts etcd and kube-apiserver of `KUBEBUILDER_ASSETS`, else of `scripts/tool kubernetes`. Takes about three seconds. */
export async function startKubernetes(options: KubernetesOptions = {}): Promise<TestKubernetes> {
  const binaries = await binariesFolder()
  const dir = mkdtempSync(join(tmpdir(), 'sluice-kubernetes-'))
  const processes = new ProcessGroup(dir)
  try {
    const [etcdPort, peerPort, apiPort] = await freePorts(3)
    const token = randomBytes(24).toString('hex')
    writeCredentials(dir, token)
    processes.start('etcd', join(binaries, 'etcd'), etcdFlags(dir, etcdPort!, peerPort!))
    const apiFlags = apiServerFlags(dir, etcdPort!, apiPort!, options)
    const server = `https://127.0.0.1:${apiPort!}`
    const startApiServer = async () => {
      processes.start('kube-apiserver', join(binaries, 'kube-apiserver'), apiFlags)
      await until(
        () => isReady(server, token),
        () => processes.problem('kube-apiserver'),
        'kube-apiserver',
      )
    }
    await startApiServer()
    const ca = readFileSync(join(dir, 'pki/apiserver.crt'), 'utf8')
    return cluster({ binaries, dir, processes, token, server, ca, startApiServer })
  } catch (error) {
    await processes.stopAll()
    rmSync(dir, { recursive: true, force: true })
    throw error
  }
}

interface Parts {
  readonly binaries: string
  readonly dir: string
  readonly processes: ProcessGroup
  readonly token: string
  readonly server: string
  readonly ca: string
  readonly startApiServer: () => Promise<void>
}

function cluster({ binaries, dir, processes, token, server, ca, startApiServer }: Parts): TestKubernetes {
  const kubeconfig = kubeconfigOf(server, ca, token)
  const kubeconfigPath = join(dir, 'kubeconfig.json')
  writeFileSync(kubeconfigPath, JSON.stringify(kubeconfig), { mode: 0o600 })

  const kubectl: TestKubernetes['kubectl'] = async (args, { input = '', kubeconfigPath: path = kubeconfigPath } = {}) => {
    const child = execFile(join(binaries, 'kubectl'), [`--kubeconfig=${path}`, `--cache-dir=${join(dir, 'cache')}`, ...args], {
      maxBuffer: 2 ** 26,
    })
    return await collect(child, input)
  }
  const must = async (args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(args)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  return {
    server,
    ca,
    token,
    kubeconfig,
    kubeconfigPath,
    dir,
    kubectl,
    applyCrds: async (folder = join(ROOT, 'crds')) => {
      await must(['apply', '--server-side', '-f', folder])
      await must(['wait', '--for=condition=Established', '--timeout=30s', '-f', folder])
    },
    serviceAccount: async (namespace, name) => {
      const made = await kubectl(['create', 'serviceaccount', '-n', namespace, name])
      if (made.code !== 0 && !/already ?exists/i.test(made.stderr)) throw new Error(made.stderr)
      const own = (await must(['create', 'token', '-n', namespace, name, '--duration=2h'])).trim()
      const path = join(dir, `kubeconfig-${namespace}-${name}.json`)
      writeFileSync(path, JSON.stringify(kubeconfigOf(server, ca, own)), { mode: 0o600 })
      return path
    },
    stopApiServer: signal => processes.stop('kube-apiserver', signal),
    startApiServer,
    restart: async () => {
      await processes.stop('kube-apiserver')
      await startApiServer()
    },
    stop: async () => {
      await processes.stopAll()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function binariesFolder(): Promise<string> {
  const given = process.env.KUBEBUILDER_ASSETS
  if (given) return given
  return (await run(join(ROOT, 'scripts/tool'), ['kubernetes'])).stdout.trim()
}

/** The serving certificate is made by the server itself: nothing but Node is needed. */
function writeCredentials(dir: string, token: string): void {
  const serviceAccounts = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  writeFileSync(join(dir, 'sa.pub'), serviceAccounts.publicKey)
  writeFileSync(join(dir, 'sa.key'), serviceAccounts.privateKey, { mode: 0o600 })
  writeFileSync(join(dir, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 })
}

const etcdFlags = (dir: string, clientPort: number, peerPort: number): string[] => [
  `--data-dir=${join(dir, 'etcd')}`,
  `--listen-client-urls=http://127.0.0.1:${clientPort}`,
  `--advertise-client-urls=http://127.0.0.1:${clientPort}`,
  `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
  `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
  `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
  '--unsafe-no-fsync',
]

const apiServerFlags = (dir: string, etcdPort: number, port: number, options: KubernetesOptions): string[] => [
  `--etcd-servers=http://127.0.0.1:${etcdPort}`,
  '--bind-address=127.0.0.1',
  '--advertise-address=127.0.0.1',
  `--secure-port=${port}`,
  `--cert-dir=${join(dir, 'pki')}`,
  `--token-auth-file=${join(dir, 'tokens.csv')}`,
  '--service-account-issuer=https://kubernetes.default.svc',
  `--service-account-key-file=${join(dir, 'sa.pub')}`,
  `--service-account-signing-key-file=${join(dir, 'sa.key')}`,
  '--service-cluster-ip-range=10.0.0.0/24',
  '--authorization-mode=RBAC',
  '--anonymous-auth=false',
  // No controller manager makes the default accounts that this plugin wants to see.
  '--disable-admission-plugins=ServiceAccount',
  '--endpoint-reconciler-type=none',
  `--event-ttl=${options.eventTtl ?? '1h'}`,
  ...(options.apiServerFlags ?? []),
]

const kubeconfigOf = (server: string, ca: string, token: string): Kubeconfig => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
  users: [{ name: 'test', user: { token } }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  'current-context': 'test',
})

function isReady(server: string, token: string): Promise<boolean> {
  return new Promise(answer => {
    // Before the server has made its certificate there is nothing to verify; the token is its own proof.
    const probe = request(
      `${server}/readyz`,
      { rejectUnauthorized: false, agent: false, timeout: 2_000, headers: { authorization: `Bearer ${token}` } },
      response => {
        response.resume()
        answer(response.statusCode === 200)
      },
    )
    probe.on('error', () => {
      answer(false)
    })
    probe.on('timeout', () => probe.destroy())
    probe.end()
  })
}

async function until(done: () => Promise<boolean>, problem: () => string | undefined, what: string): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS
  while (!(await done())) {
    const reason = problem()
    if (reason !== undefined) throw new Error(reason)
    if (performance.now() > deadline) throw new Error(`${what} was not ready within ${START_DEADLINE_MS} ms`)
    await pause(50)
  }
}

function collect(child: ChildProcess, input: string): Promise<KubectlResult> {
  return new Promise(answer => {
    let stdout = ''
    let stderr = ''
    child.stdout?.on('data', chunk => (stdout += String(chunk)))
    child.stderr?.on('data', chunk => (stderr += String(chunk)))
    child.on('error', error => {
      answer({ code: -1, stdout, stderr: String(error) })
    })
    child.on('close', code => {
      answer({ code: code ?? -1, stdout, stderr })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

/** Children by name, with a log each; none outlives this process. */
class ProcessGroup {
  readonly #dir: string
  readonly #children = new Map<string, ChildProcess>()
  readonly #killAll = (): void => {
    for (const child of this.#children.values()) child.kill('SIGKILL')
  }

  constructor(dir: string) {
    this.#dir = dir
    process.on('exit', this.#killAll)
  }

  start(name: string, program: string, args: readonly string[]): void {
    const log = openSync(join(this.#dir, `${name}.log`), 'a')
    const child = spawn(program, args, { stdio: ['ignore', log, log], cwd: this.#dir })
    closeSync(log)
    child.on('error', () => undefined)
    this.#children.set(name, child)
    if (child.pid !== undefined) outlivedBy(child)
  }

  /** Why the child is no longer there, with the end of its log; undefined while it runs. */
  problem(name: string): string | undefined {
    const child = this.#children.get(name)
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) return undefined
    const log = readFileSync(join(this.#dir, `${name}.log`), 'utf8')
    return `${name} ended (${child?.exitCode ?? child?.signalCode ?? 'not started'}):\n${log.slice(-2_000)}`
  }

  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#children.get(name)
    this.#children.delete(name)
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    const hard = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
    await ended
    clearTimeout(hard)
  }

  async stopAll(): Promise<void> {
    await this.stop('kube-apiserver', 'SIGKILL')
    await this.stop('etcd', 'SIGKILL')
    process.off('exit', this.#killAll)
  }
}

/** Ends the child when this process dies without a chance to do so itself (SIGKILL, a runner's time-out): its end of the pipe closes then. */
function outlivedBy(child: ChildProcess): void {
  const guard = spawn('/bin/sh', ['-c', 'read -r _; kill -KILL "$1" 2>/dev/null', 'sh', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.on('error', () => undefined)
  guard.unref()
  child.once('exit', () => guard.kill('SIGKILL'))
}
