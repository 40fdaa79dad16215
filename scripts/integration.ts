import { spawn } from 'node:child_process'
import { startKafka } from '../test/support/kafka.ts'

/** Runs jest with the given arguments while one plain broker serves all test files; answers jest's exit status. */
async function integration(args: readonly string[]): Promise<number> {
  const kafka = await startKafka()
  try {
    const env = { ...process.env, SLUICE_TEST_KAFKA: kafka.bootstrap, NODE_OPTIONS: '--experimental-vm-modules' }
    const jest = spawn('node_modules/.bin/jest', ['--selectProjects', 'integration', ...args], { stdio: 'inherit', env })
    // Ctrl-C reaches jest as well; wait for it to stop what it started, then stop the broker.
    process.on('SIGINT', () => undefined)
    process.on('SIGTERM', () => jest.kill('SIGTERM'))
    return await new Promise(resolve =>
      jest.once('close', code => {
        resolve(code ?? 1)
      }),
    )
  } finally {
    await kafka.stop()
  }
}

process.exitCode = await integration(process.argv.slice(2))
