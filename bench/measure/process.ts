import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'

const CLOCK_TICKS_PER_S = Number(execFileSync('getconf', ['CLK_TCK']).toString())

/** CPU time of a process so far, in user and system mode. */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / CLOCK_TICKS_PER_S
}

/** Resident memory now. */
export const rssOf = (pid: number): Promise<number> => statusBytes(pid, 'VmRSS')

/** The most resident memory that the process ever had. */
export const peakRssOf = (pid: number): Promise<number> => statusBytes(pid, 'VmHWM')

async function statusBytes(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024
}
