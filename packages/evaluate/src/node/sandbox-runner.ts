/**
 * The Python program that runs a completion and its test, in two processes: the one of the test is the parent, the one
 * of the completion its child. The child has no way to the verdict: it gets arguments and gives results, both as plain
 * values over pipes. So leaving early, patching `assert`, comparison operators or built-in functions, or writing to
 * stdout changes nothing but the results of its own function.
 *
 * It reads a job as JSON from stdin (`prompt`, `source`, `test`, `entryPoint`, `seconds`, `memoryBytes`,
 * `fileBytes`)
 * and writes `{ status, message, isolation }` as JSON to stdout. It needs Python 3.8 on Linux or macOS.
 */
export const runnerSource = String.raw`
import json, os, resource, signal, struct, sys

MOST = 64 << 20  # bytes of one message from the child


def pack(value):
    """A value as JSON that keeps its type: subclasses as their base, iterables that have no literal as 'iterator'."""
    if value is None or isinstance(value, bool):
        return ['plain', value]
    if isinstance(value, str):
        return ['plain', str.__str__(value)]
    if isinstance(value, int):
        return ['int', hex(int(value))]  # decimal digits are limited
    if isinstance(value, float):
        return ['plain', float(value)]
    if isinstance(value, complex):
        return ['complex', [value.real, value.imag]]
    if isinstance(value, (bytes, bytearray)):
        return ['bytes', bytes(value).hex()]
    if isinstance(value, dict):
        return ['dict', [[pack(key), pack(item)] for key, item in value.items()]]
    for name, kind in (('list', list), ('tuple', tuple), ('set', (set, frozenset))):
        if isinstance(value, kind):
            return [name, [pack(item) for item in value]]
    if hasattr(value, '__index__'):
        return ['int', hex(value)]
    if hasattr(value, '__float__'):
        return ['plain', float(value)]
    return ['iterator', [pack(item) for item in value]]


def unpack(packed):
    kind, value = packed
    if kind == 'plain':
        return value
    if kind == 'int':
        return int(value, 16)
    if kind == 'complex':
        return complex(*value)
    if kind == 'bytes':
        return bytes.fromhex(value)
    if kind == 'dict':
        return {unpack(key): unpack(item) for key, item in value}
    items = [unpack(item) for item in value]
    return {'list': list, 'tuple': tuple, 'set': set, 'iterator': iter}[kind](items)


def send(pipe, message):
    data = json.dumps(message).encode()
    pipe.write(struct.pack('>Q', len(data)) + data)
    pipe.flush()


def receive(pipe):
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError('the program ended before its test did')
    size = struct.unpack('>Q', head)[0]
    if size > MOST:
        raise ValueError('the program gave a result of more than %d bytes' % MOST)
    return json.loads(pipe.read(size))


def describe(error):
    try:
        text = str(error)
    except BaseException:
        text = ''
    return (type(error).__name__ + (': ' + text if text else ''))[:500]


def limit(name, value):
    """Not every system has every limit."""
    try:
        most = resource.getrlimit(getattr(resource, name))[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(getattr(resource, name), (value, value))
    except (AttributeError, ValueError, OSError):
        pass


def readable_by_all(path):
    while True:
        if os.stat(path).st_mode & (0o001 if os.path.isdir(path) else 0o004) == 0:
            return False
        if path == os.path.dirname(path):
            return True
        path = os.path.dirname(path)


def write_file(path, text):
    with open(path, 'w') as file:
        file.write(text)


def isolate():
    """Gives up rights, step by step; a step that the system does not allow is left out. Returns what was reached."""
    scratch = os.getcwd()
    reached = {'network': False, 'files': False, 'processes': os.geteuid() != 0}
    if os.geteuid() == 0 and readable_by_all(os.path.realpath(os.__file__)):
        nobody = 65534
        os.chown(scratch, nobody, nobody)
        os.setgroups([])
        os.setregid(nobody, nobody)
        os.setreuid(nobody, nobody)
        reached['processes'] = True
    if not sys.platform.startswith('linux'):
        return reached
    try:
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(4, 1, 0, 0, 0)  # dumpable, so that the maps below may be written
        user, group = os.geteuid(), os.getegid()
        # New namespaces: mounts, host name, IPC, user, processes, network.
        if libc.unshare(0x20000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000) == 0:
            reached['network'] = True
            try:
                write_file('/proc/self/setgroups', 'deny')
                write_file('/proc/self/uid_map', '%d %d 1' % (user, user))
                write_file('/proc/self/gid_map', '%d %d 1' % (group, group))
                reached['files'] = close_files(ctypes, libc, scratch)
            except OSError:
                pass
        libc.prctl(38, 1, 0, 0, 0)  # no new privileges
        libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
        libc.prctl(4, 0, 0, 0, 0)  # closed to other processes of the user
    except (ImportError, OSError, AttributeError):
        pass
    return reached


def close_files(ctypes, libc, scratch):
    """All file systems read-only and without devices, /proc, /run, /sys and /dev empty, the scratch folder in memory."""
    def mount(kind, target, flags, data):
        return libc.mount(kind, target.encode(), kind, ctypes.c_ulong(flags), data)
    if libc.mount(None, b'/', None, ctypes.c_ulong(0x4000 | 0x40000), None) != 0:  # private, recursively
        return False
    attributes = (ctypes.c_uint64 * 4)(1 | 2 | 4, 0, 0, 0)  # read-only, no set-user-id, no devices
    if libc.syscall(ctypes.c_long(442), -100, b'/', 0x8000, ctypes.byref(attributes), ctypes.c_size_t(32)) != 0:
        return False
    for folder in ('/dev', '/run', '/sys', '/proc'):
        mount(b'tmpfs', folder, 1 | 2 | 4, b'size=4k')
    if mount(b'tmpfs', scratch, 2 | 4, b'size=16m,mode=700') != 0:
        return True
    os.chdir(scratch)
    return True


def answer_calls(job, requests, replies):
    """The child: defines the function, then calls it as it is told."""
    try:
        space = {'__name__': 'solution'}
        exec(compile(job['source'], 'solution', 'exec'), space)
        function = space[job['entryPoint']]
    except BaseException as error:
        send(replies, ['raised', describe(error)])
        return
    send(replies, ['value', ['plain', None]])
    while True:
        arguments, named = (unpack(packed) for packed in receive(requests))
        try:
            reply = ['value', pack(function(*arguments, **named))]
        except BaseException as error:
            reply = ['raised', describe(error)]
        send(replies, reply)


class ProgramError(Exception):
    pass


class OutOfTime(BaseException):
    """Not an Exception, which a test may catch."""


def give_up(number, frame):
    raise OutOfTime()


def run_test(job, requests, replies):
    """The parent: runs the test on a stand-in that has the child call the function."""
    def result():
        kind, value = receive(replies)
        if kind != 'value':
            raise ProgramError(str(value)[:500])
        return unpack(value)

    def candidate(*arguments, **named):
        send(requests, [pack(arguments), pack(named)])
        return result()

    result()
    space = {'__name__': 'test'}
    for ending in ('', '\n    pass\n'):
        try:
            exec(compile(job['prompt'] + ending, 'prompt', 'exec'), space)  # helpers that the test uses
            break
        except SyntaxError:
            pass
    space[job['entryPoint']] = candidate
    exec(compile(job['test'], 'test', 'exec'), space)
    space['check'](candidate)


def main():
    job = json.loads(sys.stdin.buffer.read())
    report = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    isolation = isolate()
    limit('RLIMIT_CORE', 0)
    limit('RLIMIT_CPU', int(job['seconds']) + 2)
    limit('RLIMIT_AS', job['memoryBytes'])
    limit('RLIMIT_FSIZE', job['fileBytes'])
    limit('RLIMIT_NOFILE', 64)
    call_out, call_in = os.pipe()
    reply_out, reply_in = os.pipe()
    child = os.fork()
    limit('RLIMIT_NPROC', 0)  # neither has a use for further processes or threads
    if child == 0:
        for end in (report, call_in, reply_out):
            os.close(end)
        try:
            if sys.platform.startswith('linux'):
                import ctypes
                ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # ends with its parent
            answer_calls({name: job[name] for name in ('source', 'entryPoint')}, os.fdopen(call_out, 'rb'), os.fdopen(reply_in, 'wb'))
        finally:
            os._exit(0)
    os.close(call_out)
    os.close(reply_in)
    # The parent knows its child whatever group that moves to; where it is the first of its namespace, all it started ends too.
    signal.signal(signal.SIGALRM, give_up)
    signal.signal(signal.SIGTERM, give_up)
    signal.setitimer(signal.ITIMER_REAL, job['seconds'])
    try:
        run_test(job, os.fdopen(call_in, 'wb'), os.fdopen(reply_out, 'rb'))
        outcome = {'status': 'passed'}
    except OutOfTime:
        outcome = {'status': 'timeout', 'message': 'no result after %g s' % job['seconds']}
    except ProgramError as error:
        outcome = {'status': 'failed', 'message': str(error)}
    except BaseException as error:
        outcome = {'status': 'failed', 'message': describe(error)}
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.kill(child, signal.SIGKILL)
    os.write(report, json.dumps({**outcome, 'isolation': isolation}).encode())
    os._exit(0)


main()
`
