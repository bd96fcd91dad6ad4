import { defineConfig } from 'vite'
import { pageConfig } from '../browser-shared/vite.ts'

export default defineConfig(({ mode }) => pageConfig(mode, ['tiny-smolvlm']))
