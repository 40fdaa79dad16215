import { execFile, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { SimulatedKind } from '../simulation/subject.ts'

/**
 * Deliberate bugs: each patch of this folder is applied to a copy of the tree, and the simulator must find it within some seeds. A patch that does not
 * apply any more fails, too: make it anew for the code as it is. `node test/mutations/run.ts [NAME...]`
 */
const SEEDS = 3000
const AT_ONCE = 2

const run = promisify(execFile)
const HERE = fileURLToPath(new URL('.', import.meta.url))
const TREE = fileURLToPath(new URL('../..', import.meta.url))

/** What the simulator said of the tree with this patch; undefined: it found nothing. */
async function found(patch: string): Promise<string | undefined> {
  const copy = await mkdtemp(join(tmpdir(), 'sluice-mutation-'))
  try {
    for (const part of ['src', 'test/simulation', 'test/support', 'package.json'])
      await cp(join(TREE, part), join(copy, part), { recursive: true })
    await symlink(join(TREE, 'node_modules'), join(copy, 'node_modules'))
    await run('patch', ['--strip=1', '--batch', '--forward', '--no-backup-if-mismatch', '--fuzz=1', '--input', join(HERE, patch)], {
      cwd: copy,
    })
    return await failureIn(copy, kindOf(await readFile(join(HERE, patch), 'utf8')))
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

/** Worlds about a kind of its own where the bug is in that kind; the queue for what all rest on. */
function kindOf(patch: string): SimulatedKind {
  if (patch.includes('/src/kinds/dead-letter-pipeline/')) return 'DeadLetterPipeline'
  return patch.includes('/src/kinds/dead-letter-redrive/') ? 'DeadLetterRedrive' : 'DelayQueue'
}

async function failureIn(copy: string, kind: SimulatedKind): Promise<string | undefined> {
  const args = ['test/simulation/run.ts', '--seeds', String(SEEDS), '--kind', kind, '--first']
  const simulator = spawn(process.execPath, args, { cwd: copy })
  let output = ''
  simulator.stdout.on('data', (text: Buffer) => (output += text.toString()))
  simulator.stderr.on('data', (text: Buffer) => (output += text.toString()))
  const code = await new Promise<number | null>(resolve => {
    simulator.once('close', resolve)
  })
  const line = output.split('\n').find(text => text.startsWith('seed '))
  // A patch that keeps the simulator from running at all proves nothing.
  if (code !== 0 && line === undefined) throw new Error(`the simulator did not run: ${output.slice(0, 2000)}`)
  return line
}

async function judge(patch: string): Promise<boolean> {
  const name = patch.replace(/\.patch$/, '')
  try {
    const line = await found(patch)
    console.log(line === undefined ? `${name}: NOT FOUND within ${SEEDS} seeds` : `${name}: found by ${line.slice(0, 160)}`)
    return line !== undefined
  } catch (error) {
    const { stdout = '', message } = error as { stdout?: string; message: string }
    console.log(`${name}: FAILED, does the patch still apply? ${message}\n${stdout}`)
    return false
  }
}

const wanted = process.argv.slice(2)
const patches = (await readdir(HERE)).filter(
  name => name.endsWith('.patch') && (wanted.length === 0 || wanted.includes(name.replace(/\.patch$/, ''))),
)
const beganMs = performance.now()
const queue = patches.values()
let escaped = 0
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (const patch of queue) if (!(await judge(patch))) escaped += 1
  }),
)
console.log(`${patches.length} mutations, ${escaped} escaped, in ${Math.round((performance.now() - beganMs) / 1000)} s`)
if (escaped > 0 || patches.length === 0) process.exitCode = 1
