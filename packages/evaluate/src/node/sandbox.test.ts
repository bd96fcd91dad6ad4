import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CodeProblem } from '../tasks/task.ts'
import { type CodeSandbox, createCodeSandbox } from './sandbox.ts'

let box: CodeSandbox
const outside = mkdtempSync(join(tmpdir(), 'awq-outside-'))
const { TMPDIR } = process.env
beforeAll(async () => {
  // A place of this test's own, which everybody may pass through.
  chmodSync(outside, 0o755)
  process.env.TMPDIR = outside
  box = await createCodeSandbox({ timeLimit: 20 })
})
afterAll(() => {
  if (TMPDIR === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = TMPDIR
  rmSync(outside, { recursive: true })
})

const add: CodeProblem = {
  prompt: 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """ Sum of both. """\n',
  completion: '',
  test: '\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-4, 2) == -2\n',
  entryPoint: 'add',
}
const run = async (completion: string, problem: Partial<CodeProblem> = {}) =>
  box.check({ ...add, ...problem, completion }, {})
/** Runs statements before a right answer. */
const first = (...statements: string[]) =>
  run(`${statements.map((line) => `    ${line}\n`).join('')}    return a + b\n`)

describe('createCodeSandbox', () => {
  it('passes a right program and fails a wrong one', async () => {
    expect(await run('    return a + b\n')).toEqual({ status: 'passed' })
    expect(await run('    return a - b\n')).toEqual({ status: 'failed', message: 'AssertionError' })
    expect(await run('    return undefined_name\n')).toMatchObject({ message: expect.stringMatching(/^NameError/) })
    expect(await run('    return (\n')).toMatchObject({ message: expect.stringMatching(/^SyntaxError/) })
    expect(await run('', { entryPoint: 'missing' })).toMatchObject({ message: expect.stringMatching(/^KeyError/) })
  })

  it.each([
    ['sys.exit', 'import sys; sys.exit(0)'],
    ['SystemExit', 'raise SystemExit(0)'],
    ['os._exit', 'import os; os._exit(0)'],
    ['an end at import', 'pass\nimport os\nos._exit(0)'],
    ['ending its parent', 'import os, signal; os.kill(os.getppid(), signal.SIGKILL); os._exit(0)'],
    [
      'a verdict on every descriptor',
      `import os\n    for fd in range(3, 64):\n        try: os.write(fd, b'{"status":"passed"}')\n        except OSError: pass\n    os._exit(0)`,
    ],
  ])('does not take %s for a pass', async (_, code) => {
    expect((await run(`    ${code}\n`)).status).toBe('failed')
  })

  it.each([
    [
      'an object that equals everything',
      '    class Any:\n        __eq__ = lambda self, other: True\n    return Any()\n',
    ],
    [
      'a number that equals everything',
      '    class Any(int):\n        __eq__ = lambda self, other: True\n    return Any()\n',
    ],
    ['a patched AssertionError', '    import builtins\n    builtins.AssertionError = None\n    return 0\n'],
    ['a test of its own', '    return 0\n\n\ndef check(candidate):\n    pass\n'],
    [
      'a patched test in the frames above',
      '    import sys\n    frame = sys._getframe()\n    while frame:\n        frame.f_globals["check"] = lambda candidate: None\n        frame = frame.f_back\n    return 0\n',
    ],
  ])('is not fooled by %s', async (_, code) => {
    expect((await run(code)).status).toBe('failed')
  })

  it('keeps the types of arguments and results', async () => {
    const test = (value: string) =>
      `def check(candidate):\n    value = ${value}\n    got = candidate(value, None)\n    assert got == value and type(got) is type(value), got\n`
    for (const value of [
      '[1, (2.5, "ä\\ud800"), {3}, {"k": None, (1,): True}]',
      '10 ** 5000',
      'float("inf")',
      '1j',
      'b"x"',
    ])
      expect(await run('    return a\n', { test: test(value) })).toEqual({ status: 'passed' })
    const listed =
      'def check(candidate):\n    assert candidate(1, 2) != [1, 2]\n    assert list(candidate(1, 2)) == [1, 2]\n'
    expect(await run('    yield a\n    yield b\n', { test: listed })).toEqual({ status: 'passed' })
  })

  it('gives the test the helpers of the prompt', async () => {
    const prompt = `def twice(x):\n    return 2 * x\n\n\n${add.prompt}`
    const test = 'def check(candidate):\n    assert candidate(1, 1) == twice(1) == add(1, 1)\n'
    expect(await run('    return twice(a)\n', { prompt, test })).toEqual({ status: 'passed' })
  })

  it('ends an infinite loop', async () => {
    const quick = await createCodeSandbox({ timeLimit: 2 })
    const outcome = await quick.check({ ...add, completion: '    while True: pass\n' }, {})
    expect(outcome).toEqual({ status: 'timeout', message: 'no result after 2 s' })
    const hidden = '    import os, time\n    os.setsid()\n    while True: time.sleep(1)\n'
    expect((await quick.check({ ...add, completion: hidden }, {})).status).toBe('timeout')
    const slowTest =
      'def check(candidate):\n    while True:\n        try: candidate(1, 2)\n        except Exception: pass\n'
    expect((await quick.check({ ...add, completion: '    return 1\n', test: slowTest }, {})).status).toBe('timeout')
  })

  it('refuses memory beyond the limit', async () => {
    expect(await first('x = bytearray(4 << 30)')).toMatchObject({ message: 'MemoryError' })
  })

  it('drops what is printed, however much', async () => {
    const outcome = await first(
      'import sys',
      'for _ in range(2000): print("x" * 10000)',
      'sys.stderr.write("y" * 10 ** 7)',
    )
    expect(outcome).toEqual({ status: 'passed' })
  })

  it('gives neither environment nor input nor tests on disk', async () => {
    expect(await first('import os', 'assert dict(os.environ) in ({}, {"LC_CTYPE": "C.UTF-8"}), os.environ')).toEqual({
      status: 'passed',
    })
    expect(await first('import sys', 'assert sys.stdin.read() == ""')).toEqual({ status: 'passed' })
    expect(await first('import os', 'assert os.listdir(".") == [], os.listdir(".")')).toEqual({ status: 'passed' })
  })

  it('bounds files, and leaves none behind', async () => {
    const write = (bytes: string) => first(`open("f", "wb").write(bytes(${bytes}))`)
    expect(await write('1 << 20')).toEqual({ status: 'passed' })
    expect((await write('64 << 20')).status).toBe('failed')
    expect((await readdir(tmpdir())).filter((name) => name.startsWith('awq-code-'))).toEqual([])
  })

  it('writes no file outside where mounts can be closed', async () => {
    const file = join(outside, 'kept')
    writeFileSync(file, 'kept')
    const paths = JSON.stringify([file, join(outside, 'new'), '/tmp/awq-new', '/dev/shm/awq-new'])
    const outcome = await first(
      'import os',
      `for path in ${paths}:`,
      '    try: open(path, "w")',
      '    except OSError: pass',
      '    else: os.unlink(path); raise ValueError(path)',
    )
    if (box.isolation.files) expect(outcome).toEqual({ status: 'passed' })
    expect(existsSync(join(outside, 'new'))).toBe(false)
  })

  it('starts no process where the system counts them', async () => {
    // Harmless even without a limit: one attempt, which ends at once.
    const outcome = await first(
      'import os',
      'try: child = os.fork()',
      'except OSError: child = None',
      'if child == 0: os._exit(0)',
      'assert child is None',
    )
    if (box.isolation.processes) expect(outcome).toEqual({ status: 'passed' })
    else expect(outcome.status).toBe('failed')
  })

  it('has no network where namespaces are allowed', async () => {
    const outcome = await first(
      'import socket',
      's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      'try: s.connect(("192.0.2.1", 9))',
      'except OSError: pass',
      'else: raise ValueError("a route")',
    )
    if (box.isolation.network) expect(outcome).toEqual({ status: 'passed' })
  })

  it('ends at an abort with its reason', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const running = box.check({ ...add, completion: '    while True: pass\n' }, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 300)
    await expect(running).rejects.toBe(reason)
  })

  it('says what it misses', async () => {
    await expect(createCodeSandbox({ python: 'no-such-python' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/no-such-python.*install Python/),
    })
    await expect(createCodeSandbox({ python: 'false' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(createCodeSandbox({ timeLimit: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
