from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec

from . import tasks
from .support import alive, gone, task, write

ZOO = """
    import os, sys
    from tsrefactor.cases import ModelCase
    print("printed on import")
    os.write(1, b"\\xff garbage on import")
    here = os.path.dirname(__file__)

    def cases():
        yield ModelCase("plain", lambda: None, list)
        yield ModelCase("traced", lambda: None, list, "trace")
"""


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[Workers]:
    write(folder, {"zoo.py": ZOO})
    with Workers(parse_spec("zoo.py"), jobs=2) as workers:
        yield workers


def test_names_and_targets_in_order(workers: Workers) -> None:
    assert workers.case_names() == [("plain", None), ("traced", "trace")]


def test_a_value_makes_the_round_trip(workers: Workers) -> None:
    result = workers.run(task("add", left=[1, "a"], right=[None]))
    assert (result.value, result.failure, result.message) == ([1, "a", None], None, "")


def test_a_task_may_take_all_cases(workers: Workers) -> None:
    assert workers.run(task("names", case=None)).value == ["plain", "traced"]


def test_each_task_has_a_process_and_a_group_of_its_own_in_the_users_folder(workers: Workers, folder: Path) -> None:
    numbers = [workers.submit(task("identity")) for _ in range(10)]
    results = dict(workers.completed())
    assert sorted(results) == numbers
    pids = {results[number].value[0] for number in numbers}
    assert len(pids) == 10
    assert all(pid == group and cwd == str(folder) for pid, group, cwd in (r.value for r in results.values()))


def test_no_more_than_jobs_run_at_once_and_more_may_be_submitted_meanwhile(workers: Workers) -> None:
    first, second = (workers.submit(task("sleeps", length=s)) for s in (0.5, 0.01))
    third = workers.submit(task("sleeps", length=0.02))
    order = []
    for number, result in workers.completed():
        order.append(number)
        if number == third:
            order.append(workers.run(task("sleeps", length=0.0)).value)
        assert result.failure is None
    assert order == [second, third, 0.0, first]


def test_children_run_on_one_thread_without_cuda_bytecode_or_input(workers: Workers) -> None:
    assert workers.run(task("environment")).value == (1, "", True, "")


def test_seeding_covers_torch_random_and_numpy(workers: Workers) -> None:
    first, second = workers.run(task("seeded")), workers.run(task("seeded"))
    assert first.failure is None and first.value == second.value
    assert len(set(first.value)) == 3


def test_what_is_printed_comes_back_as_output_only(workers: Workers) -> None:
    result = workers.run(task("garbage"))
    assert result.value == "unharmed"
    assert result.output.endswith("the last line\n") and "error output" in result.output
    assert len(result.output) == 2000


def test_streams_may_be_lost(workers: Workers) -> None:
    assert workers.run(task("replaces_its_streams")).value == "done"


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        ("leaves_by_sys_exit", {}, "sys.exit(3)"),
        ("leaves_by_os_exit", {"status": 0}, "os._exit(0)"),
        ("leaves_by_os_exit", {"status": 5}, "os._exit(5)"),
        ("aborts", {}, "SIGABRT"),
        ("dereferences_nothing", {}, "SIGSEGV"),
        ("killed_by", {"signal_name": "SIGKILL"}, "SIGKILL, as the system does when memory runs out"),
    ],
)
def test_code_that_ends_its_process_is_a_crash(workers: Workers, function: str, arguments: dict, words: str) -> None:
    result = workers.run(task(function, **arguments))
    assert (result.failure, result.value) == ("crash", None)
    assert words in result.message
    assert result.message.endswith("; build(), inputs() and forward must not end the process")
    assert workers.run(task("name_of")).value == "plain"


def test_a_crash_shows_where_python_was(workers: Workers) -> None:
    result = workers.run(task("dereferences_nothing"))
    assert "dereferences_nothing" in result.output
    assert (result.file, result.line) == (tasks.__file__, line_in("dereferences_nothing"))
    assert workers.run(task("leaves_by_sys_exit")).line == line_in("leaves_by_sys_exit")


def line_in(function: str) -> int:
    """The first line of the body of a one-line task."""
    return getattr(tasks, function).__code__.co_firstlineno + 1


def test_an_exception_is_an_error_in_one_line(workers: Workers) -> None:
    result = workers.run(task("raises"))
    assert result.failure == "error"
    assert result.message == "ValueError: two lines"
    assert (str(result.file), result.line) == (tasks.__file__, line_in("raises"))
    assert result.told == f"{result.file}:{result.line}: ValueError: two lines"


@pytest.mark.parametrize(
    ("function", "case", "words"),
    [
        ("returns_unpicklable", "plain", "pickle"),
        ("no_such_function", "plain", "no_such_function"),
        ("name_of", "absent", "no case named 'absent'"),
    ],
)
def test_a_task_that_cannot_be_done_is_an_error(workers: Workers, function: str, case: str, words: str) -> None:
    result = workers.run(task(function, case))
    assert result.failure == "error" and words in result.message


@pytest.mark.parametrize("function", ["hangs_deaf", "prints_for_ever", "moves_to_another_group_and_hangs"])
def test_no_end_is_a_timeout(workers: Workers, function: str) -> None:
    result = workers.run(task(function, seconds=0.3))
    remedy = "raise `timeout` in [tool.tsrefactor], or give the case smaller inputs"
    assert (result.failure, result.message) == ("timeout", f"no end within 0.3 s; {remedy}")
    if function != "prints_for_ever":  # what it prints meanwhile may take the place of its stack
        assert result.file == tasks.__file__ and result.line >= line_in(function)


@pytest.mark.parametrize("function", ["takes_python_memory", "takes_torch_memory"])
def test_memory_beyond_the_limit_is_refused(workers: Workers, function: str) -> None:
    result = workers.run(task(function, memory_gib=0.25))
    assert result.failure == "memory" and result.message.startswith("out of memory")
    assert workers.run(task(function, memory_gib=4)).failure is None


@pytest.mark.parametrize(
    ("then", "failure", "value"),
    [
        ("return", None, "last"),
        ("hang", "timeout", "second"),
        ("take memory", "memory", "second"),
        ("raise", "error", None),
    ],
)
def test_what_a_task_yields_stands_where_it_meets_a_limit(
    workers: Workers, then: str, failure: str, value: str
) -> None:
    result = workers.run(task("yields_and", then=then, seconds=0.3, more_seconds=0.2, memory_gib=0.25))
    assert (result.failure, result.value) == (failure, value)
    if then == "hang":
        assert result.message.startswith("no end within 0.5 s")


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("then", ["return", "sleep"])
def test_what_a_task_started_ends_with_it(workers: Workers, tmp_path: Path, then: str, session: bool) -> None:
    file = tmp_path / "pid"
    result = workers.run(task("starts_a_sleeper", pid_file=str(file), then=then, session=session, seconds=2.0))
    assert result.failure == (None if then == "return" else "timeout")
    assert gone(int(file.read_text()))


def test_orphans_end_with_their_task_and_with_no_other(workers: Workers, tmp_path: Path) -> None:
    workers.submit(task("orphans_a_sleeper", pid_file=str(tmp_path / "running"), then="sleep"))
    assert workers.run(task("orphans_a_sleeper", pid_file=str(tmp_path / "ended"))).failure is None
    assert all(map(gone, _read_pids(tmp_path / "ended")))
    running = _read_pids(tmp_path / "running")
    assert all(map(alive, running))
    workers.cancel()
    assert all(map(gone, running))


def test_what_cases_start_on_import_lives_until_the_end(
    workers_for: Callable[..., Workers], folder: Path, tmp_path: Path
) -> None:
    start = "    import subprocess\n    sleeper = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
    write(folder, {"starts.py": start + ZOO.replace("lambda: None", "lambda: sleeper.pid")})
    workers = workers_for("starts.py")
    pids = {workers.run(task("built")).value for _ in range(3)}
    assert len(pids) == 1 and all(map(alive, pids))
    workers.close()
    assert not any(map(alive, pids))


def test_cancelling_forgets_all_and_keeps_the_workers(workers: Workers) -> None:
    for _ in range(5):
        workers.submit(
            task(
                "sleeps",
                length=1000,
            )
        )
    workers.cancel()
    assert list(workers.completed()) == []
    assert workers.run(task("name_of")).value == "plain"


def test_leaving_ends_every_process(workers_for: Callable[..., Workers], folder: Path, tmp_path: Path) -> None:
    write(folder, {"zoo.py": ZOO})
    workers = workers_for("zoo.py")
    workers.submit(task("starts_a_sleeper", pid_file=str(tmp_path / "a"), then="sleep"))
    workers.submit(task("orphans_a_sleeper", pid_file=str(tmp_path / "b"), then="sleep"))
    pids = [*_read_pids(tmp_path / "a"), *_read_pids(tmp_path / "b")]
    workers.close()
    workers.close()
    assert not any(map(alive, pids))


def test_an_interrupt_while_torch_is_imported_leaves_in_silence(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, {"torch/__init__.py": "import time\nopen(__file__ + '.began', 'w').close()\ntime.sleep(1000)\n"})
    write(folder, {"zoo.py": ZOO})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    command = subprocess.Popen(
        [sys.executable, "-m", "tsrefactor", "verify", "zoo.py"],
        cwd=folder, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    began = tmp_path / "torch/__init__.py.began"
    deadline = time.monotonic() + 30
    while not began.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    [server] = map(int, Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split())
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=30)
    assert (command.returncode, said.strip()) == (130, "interrupted")
    assert not alive(server)


def _read_pids(file: Path) -> list[int]:
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [int(word) for word in file.read_text().split()]


def _read_pid(file: Path) -> int:
    return _read_pids(file)[0]


INTERRUPTED = """
    import sys
    from tests.workers.support import task
    from tsrefactor.workers.pool import Workers
    from tsrefactor.workers.spec import parse_spec

    with Workers(parse_spec("zoo.py"), jobs=2) as workers:
        for name in sys.argv[1:]:
            workers.submit(task("starts_a_sleeper", pid_file=name, then="sleep"))
        list(workers.completed())
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_an_interrupted_command(folder: Path, tmp_path: Path, how: signal.Signals) -> None:
    write(folder, {"zoo.py": ZOO, "command.py": INTERRUPTED})
    files = [tmp_path / "a", tmp_path / "b"]
    command = subprocess.Popen(
        [sys.executable, "command.py", *map(str, files)], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    pids = [_read_pid(file) for file in files]
    parents = [_parent(pid) for pid in pids]
    servers = {_parent(pid) for pid in parents}
    pristine = {_parent(pid) for pid in servers}
    assert all(map(alive, [*pids, *parents, *servers, *pristine]))
    assert {_parent(pid) for pid in pristine} == {command.pid}
    command.send_signal(how)
    command.communicate(timeout=30)
    assert command.returncode == -how
    assert all(map(gone, [*pids, *parents, *servers, *pristine]))


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_server_that_is_killed_is_a_crash_and_is_started_again(workers: Workers) -> None:
    number = workers.submit(task("sleeps", length=1000))
    pid, _, _ = workers.run(task("identity")).value
    assert not alive(pid)
    os.kill(workers.run(task("parent_of")).value, signal.SIGKILL)
    results = dict(workers.completed())
    assert results[number].failure == "crash" and "forked from" in results[number].message
    assert workers.run(task("name_of")).value == "plain"
