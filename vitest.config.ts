import { realpathSync } from 'node:fs'
import { playwright } from '@vitest/browser-playwright'
import { defaultClientConditions, defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import { inNode } from './test/browser/in-node.ts'
import { endHub, serveHub } from './test/browser/serve-hub.ts'
import { readmeExamples } from './test/readme-examples.ts'

/** Runs tests on the packages' sources, not on their builds. */
const source = '@awq/source'

/** A software WebGPU adapter in headless Chromium; the last two are for containers without a sandbox and with a small /dev/shm. */
const chromiumFlags = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--no-sandbox',
  '--disable-dev-shm-usage',
]

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [readmeExamples(import.meta.dirname)],
        resolve: { conditions: [source, ...defaultClientConditions] },
        ssr: { resolve: { conditions: [source, ...defaultServerConditions] } },
        test: {
          name: 'node',
          environment: 'node',
          include: [
            'packages/*/src/**/*.test.ts',
            'test/**/*.test.ts',
            'examples/**/*.test.ts',
            'benchmarks/**/*.test.ts',
          ],
          exclude: ['**/*.browser.test.ts', '**/node_modules/**', '**/dist/**', 'benchmarks/**/.*/**'],
          testTimeout: 30_000,
        },
      },
      {
        resolve: { conditions: [source, ...defaultClientConditions] },
        // Third-party modules are looked for in every package before the first test: one found later reloads the page.
        optimizeDeps: { entries: ['packages/*/src/index.ts'], exclude: ['onnxruntime-web'] },
        server: {
          // Packages may be links to a checkout elsewhere.
          fs: { allow: ['.', realpathSync('node_modules/onnxruntime-web')] },
          headers: {
            'Cross-Origin-Opener-Policy': 'same-origin',
            'Cross-Origin-Embedder-Policy': 'require-corp',
          },
        },
        test: {
          name: 'browser',
          include: ['packages/*/src/**/*.browser.test.ts', 'test/**/*.browser.test.ts'],
          testTimeout: 60_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { executablePath: '/usr/bin/chromium', args: chromiumFlags },
            }),
            instances: [{ browser: 'chromium' }],
            commands: { inNode, serveHub, endHub },
          },
        },
      },
    ],
  },
})
