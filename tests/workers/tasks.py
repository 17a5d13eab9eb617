"""Functions that the tests run in workers. Imports torch only where a test is about torch."""

from __future__ import annotations

import ctypes
import inspect
import os
import random
import signal
import subprocess
import sys
import time


def name_of(case):
    return case.name


def names(cases):
    return list(cases)


def built(case):
    """What the case's build returns: in these tests, plain data."""
    return case.build()


def add(case, left, right):
    return left + right


def identity(case):
    return os.getpid(), os.getpgid(0), os.getcwd()


def source_of_class(case):
    model = case.build()
    return inspect.getsource(model if inspect.isclass(model) else type(model))


def scripted(case):
    """The type of the value that the scripted model gives, or the compiler's words."""
    import torch

    try:
        return float(torch.jit.script(case.build())(torch.ones(2)).sum())
    except Exception as error:
        return str(error)


def called(case):
    return [tuple(inputs.args) for inputs in case.inputs()]


def described(case):
    """State of the class case: mode, and dtype and shape of each argument."""
    model = case.build()
    arguments = case.inputs()[0].args
    return model.width, model.training, [(str(a.dtype), tuple(a.shape)) for a in arguments]


def loading(case, text, init=None, inputs=()):
    """How CASES that stand in ``text`` load: their names, or the words for the user."""
    from tsrefactor.errors import UserError
    from tsrefactor.workers.loading import load
    from tsrefactor.workers.spec import parse_spec

    try:
        return list(load(parse_spec(text, init, inputs)))
    except UserError as error:
        return str(error)


def seeded(case):
    import numpy
    import torch

    from tsrefactor.workers.seeding import seed

    seed()
    return float(torch.rand(1)), random.random(), float(numpy.random.rand())


def environment(case):
    import torch

    return torch.get_num_threads(), os.environ["CUDA_VISIBLE_DEVICES"], sys.dont_write_bytecode, sys.stdin.read()


def garbage(case):
    os.write(1, b"\x80\x00garbage {}\n" * 20000)
    os.write(2, b"error output\n")
    print("the last line")
    return "unharmed"


def leaves_by_sys_exit(case):
    sys.exit(3)


def leaves_by_os_exit(case, status):
    os._exit(status)


def killed_by(case, signal_name):
    os.kill(os.getpid(), getattr(signal, signal_name))


def aborts(case):
    os.abort()


def dereferences_nothing(case):
    ctypes.string_at(0)


def moves_to_another_group_and_hangs(case):
    os.setpgid(0, os.getpgid(os.getppid()))
    time.sleep(1000)


def replaces_its_streams(case):
    sys.stdout = sys.stderr = None
    os.close(1)
    return "done"


def sleeps(case, length):
    time.sleep(length)
    return length


def hangs_deaf(case):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def prints_for_ever(case):
    while True:
        print("again " * 100)


def takes_python_memory(case):
    return len(bytearray(1 << 30))


def takes_torch_memory(case):
    import torch

    return torch.ones(1 << 28).sum().item()


def raises(case):
    raise ValueError("two\nlines")


def returns_unpicklable(case):
    return lambda: None


def starts_a_sleeper(case, pid_file, then="return", session=False):
    sleeper = subprocess.Popen(["sleep", "1000"], start_new_session=session)
    with open(pid_file, "w") as file:
        file.write(str(sleeper.pid))
    if then == "sleep":
        time.sleep(1000)


def orphans_a_sleeper(case, pid_file, then="return"):
    """Leaves a sleeper and its parent's child in sessions of their own; the pids go into the file."""
    shell = 'setsid sh -c \'sleep 1000 & echo $! $$ > "$0"; wait\' "$0" &'
    subprocess.run(["sh", "-c", shell, f"{pid_file}.new"])
    while not (os.path.exists(f"{pid_file}.new") and os.path.getsize(f"{pid_file}.new")):
        time.sleep(0.01)
    os.rename(f"{pid_file}.new", pid_file)
    if then == "sleep":
        time.sleep(1000)


def parent_of(case):
    return os.getppid()


def yields_and(case: object, then: str):
    yield "first"
    yield "second"
    if then == "hang":
        time.sleep(60)
    if then == "take memory":
        bytearray(1 << 30)
    if then == "raise":
        raise ValueError("no more")
    yield "last"
