import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The part of jest's `--json` report that is counted. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[]
}

/** A file that broke before its first test (an import that fails, say) has no failed test to count: it counts as one. */
const brokenFiles = (report: Report): number =>
  report.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0).length

/** Prints the sum of all jest reports in the folder as the last line of a run; exit status 1 when nothing passed or anything failed. */
function tally(folder: string): number {
  const names = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.json')) : []
  const reports = names.map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report)
  const passed = reports.reduce((sum, report) => sum + report.numPassedTests, 0)
  const failed = reports.reduce((sum, report) => sum + report.numFailedTests + brokenFiles(report), 0)
  console.log(`${passed} passed, ${failed} failed`)
  return passed === 0 || failed > 0 ? 1 : 0
}

process.exitCode = tally(process.argv[2] ?? 'build/reports')
