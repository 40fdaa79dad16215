import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dump, loadAll } from 'js-yaml'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')
export const CHART = join(ROOT, 'charts/sluice')

/** A rendered object: as much of its shape as tests look at. */
export interface Rendered {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Readonly<Record<string, string>> }
  readonly [field: string]: unknown
}

export interface RenderOptions {
  readonly release?: string
  readonly namespace?: string
  /** Kinds that the cluster is said to know, such as `monitoring.coreos.com/v1/PrometheusRule`. */
  readonly apis?: readonly string[]
}

/** Where a tool of scripts/tool is: its environment variable, or else the script's answer. */
async function tool(name: 'helm' | 'promtool'): Promise<string> {
  return process.env[name.toUpperCase()] ?? (await run(join(ROOT, 'scripts/tool'), [name])).stdout.trim()
}

/** Runs a program with the given text in a file whose name is appended; answers its output, rejects with it when it fails. */
async function withFile(program: string, args: readonly string[], name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-chart-'))
  try {
    await writeFile(join(folder, name), text)
    const { stdout, stderr } = await run(program, [...args, join(folder, name)], { cwd: folder, maxBuffer: 64 * 2 ** 20 })
    return stdout + stderr
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The chart's objects for these values. Rejects with what Helm says. */
export async function renderChart(values: object = {}, options: RenderOptions = {}): Promise<readonly Rendered[]> {
  const { release = 'sluice', namespace = 'sluice-system', apis = [] } = options
  const flags = ['--namespace', namespace, '--kube-version', '1.34.0', ...apis.flatMap(api => ['--api-versions', api])]
  const text = await withFile(await tool('helm'), ['template', release, CHART, ...flags, '--values'], 'values.yaml', dump(values))
  return loadAll(text).filter((document): document is Rendered => document !== null)
}

export async function lintChart(values: object = {}): Promise<string> {
  return withFile(await tool('helm'), ['lint', '--strict', CHART, '--kube-version', '1.34.0', '--values'], 'values.yaml', dump(values))
}

/** A rule as it stands in a rule file of Prometheus. */
export interface PrometheusRule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
export interface RuleGroup {
  readonly name: string
  readonly rules: readonly PrometheusRule[]
}

/** `promtool check rules`; rejects with its findings. */
export async function checkRules(groups: readonly RuleGroup[]): Promise<string> {
  return withFile(await tool('promtool'), ['check', 'rules', '--lint=all', '--lint-fatal'], 'rules.json', JSON.stringify({ groups }))
}

/** One alert against invented series, in the notation of promtool; samples are 30 s apart. */
export interface RuleCase {
  readonly alert: string
  /** Series by name and labels, e.g. `{ 'up{job="x"}': '1+0x20' }`. */
  readonly series: Readonly<Record<string, string>>
  /** Prometheus duration. */
  readonly at: string
}

/**
 * What of the alert fires, as promtool prints it (labels and annotations), or undefined when it does not. promtool only compares, so it is
 * asked to compare with nothing and its complaint is the answer.
 */
export async function firing(groups: readonly RuleGroup[], { alert, series, at }: RuleCase): Promise<string | undefined> {
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }))
  const question = { eval_time: at, alertname: alert, exp_alerts: [] }
  const tests = [{ interval: '30s', input_series: input, alert_rule_test: [question] }]
  const folder = await mkdtemp(join(tmpdir(), 'sluice-rules-'))
  try {
    await writeFile(join(folder, 'rules.json'), JSON.stringify({ groups }))
    await writeFile(join(folder, 'test.json'), JSON.stringify({ rule_files: ['rules.json'], evaluation_interval: '30s', tests }))
    await run(await tool('promtool'), ['test', 'rules', 'test.json'], { cwd: folder })
    return undefined
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    const got = /got:\s*\[(?!\])[^]*/.exec(stdout + stderr)?.[0]
    if (got === undefined) throw new Error(`promtool could not judge ${alert}:\n${stdout}${stderr}`, { cause: error })
    return got
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The rule groups of the rendered PrometheusRule. */
export async function renderRules(alerts: object = {}): Promise<readonly RuleGroup[]> {
  const objects = await renderChart({ alerts: { install: 'Always', ...alerts } })
  const rule = objects.find(object => object.kind === 'PrometheusRule')
  return (rule?.spec as { groups: readonly RuleGroup[] } | undefined)?.groups ?? []
}
