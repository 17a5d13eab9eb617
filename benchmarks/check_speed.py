"""CPU seconds of `tsrefactor check` over a tree against those of `libcst.parse_module` alone on the same files.

usage: python benchmarks/check_speed.py FOLDER

Both run once, in one process each, in this one run. Prints the two figures, their ratio, and whether `check` imported
torch.
"""

import resource
import subprocess
import sys
from pathlib import Path

PARSE = """
import sys
import libcst
from pathlib import Path
for name in sys.argv[1:]:
    libcst.parse_module(Path(name).read_bytes())
"""
CHECK = """
import sys
from tsrefactor.cli import main
sys.argv = ["tsrefactor", "check", sys.argv[1]]
try:
    main()
finally:
    print("torch imported" if "torch" in sys.modules else "torch not imported", file=sys.stderr)
"""


def cpu_seconds(*command: str) -> tuple[float, str]:
    """User plus system seconds of one command, and the last line it wrote to standard error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, done.stderr.strip().rpartition("\n")[2]


def main(folder: str) -> None:
    from tsrefactor.source.walk import python_files

    files = [str(f) for f in python_files([folder])]
    lines = sum(Path(f).read_bytes().count(b"\n") for f in files)
    parse, _ = cpu_seconds(sys.executable, "-c", PARSE, *files)
    check, said = cpu_seconds(sys.executable, "-c", CHECK, folder)
    print(f"{len(files)} files, {lines} lines")
    print(f"libcst.parse_module  {parse:6.2f} CPU s")
    print(f"tsrefactor check     {check:6.2f} CPU s  ({check / parse:.0%}), {said}")


if __name__ == "__main__":
    main(sys.argv[1])
