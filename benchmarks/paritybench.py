"""The yardstick: a census of real modules before, `tsrefactor migrate` over them, the census after, and the score.

usage: python benchmarks/paritybench.py GENERATED HARNESS WORK [--list FILE] [--limit N] [--jobs N] [--target T]

GENERATED is the `generated/` folder of jansel/pytorch-jit-paritybench, HARNESS the folder of `census.py`, `summary.py`
and `zoo.py`, WORK a folder for results. A step whose result lies in WORK already is not repeated (`before.seconds`,
`migrate.seconds`, `after.seconds`): remove it to run the step again. An interrupted migration is continued.
"""

import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

# glibc's allocator gives memory back after every forked case otherwise: half of the census's time
ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_MMAP_THRESHOLD_": "100000000000",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
REPOSITORY = Path(__file__).resolve().parents[1]


class Yardstick:
    """The steps over one list of projects; wall times are kept beside their results."""

    def __init__(self, options: argparse.Namespace):
        self.generated, self.harness, self.work = (
            p.resolve() for p in (options.generated, options.harness, options.work)
        )
        self.list = (options.list or self.harness / "dev.txt").resolve()
        self.limit, self.jobs, self.target = options.limit, options.jobs, options.target
        self.work.mkdir(parents=True, exist_ok=True)

    def census(self, name: str, *more: str) -> None:
        limit = ["--limit", str(self.limit)] if self.limit else []
        command = [str(self.harness / "census.py"), str(self.generated), str(self.work / f"{name}.jsonl")]
        self._run(name, f"{name}.jsonl", [*command, "--list", str(self.list), "--jobs", str(self.jobs), *limit, *more])

    def migrate(self) -> None:
        command = ["-m", "tsrefactor", "migrate", str(self.harness / "zoo.py"), "--jobs", str(self.jobs)]
        command += [
            "--target",
            self.target,
            "--out",
            str(self.work / "out"),
            "--report",
            str(self.work / "report.json"),
        ]
        resume = ["--resume"] if (self.work / "report.json").exists() else []
        self._run("migrate", "report.json", command + resume)

    def _run(self, step: str, result: str, arguments: list[str]) -> None:
        if (self.work / f"{step}.seconds").exists():
            return
        zoo = {"PARITYBENCH": str(self.generated), "PARITYBENCH_LIST": str(self.list)}
        zoo |= {"PARITYBENCH_LIMIT": str(self.limit)} if self.limit else {}
        environment = {**os.environ, **ALLOCATOR, **zoo, "PYTHONPATH": str(REPOSITORY)}
        began = time.time()
        # 1 from migrate: some cases do not pass, which is what the score is about
        done = subprocess.run([sys.executable, *arguments], cwd=self.generated, env=environment, check=False)
        if done.returncode not in (0, 1) or not (self.work / result).exists():
            sys.exit(f"{step} ended with {done.returncode}")
        (self.work / f"{step}.seconds").write_text(str(time.time() - began))

    def seconds(self, step: str) -> float:
        return float((self.work / f"{step}.seconds").read_text())

    def score(self) -> None:
        """The harness's own summary, then what only the tool's report knows."""
        names = [str(self.work / "after.jsonl"), "--before", str(self.work / "before.jsonl"), "--kinds", "0"]
        subprocess.run([sys.executable, str(self.harness / "summary.py"), *names], check=True)
        report = json.loads((self.work / "report.json").read_text())
        summary, cases = report["summary"], report["cases"]
        ran = summary["cases"] - summary["error"]
        print(f"{'of these partial':34s} {summary['partial']:6d}  {summary['partial'] / ran:6.1%}")
        changed = [c["lines_changed"] for c in cases if c["status"] in ("migrated", "partial")]
        print(f"{'median lines changed':34s} {statistics.median(changed or [0]):6.0f}")
        ratio = self.seconds("migrate") / self.seconds("before")
        print(f"{'wall time of migrate':34s} {self.seconds('migrate'):6.0f}  {ratio:.1f} x the census")
        wrong = self._called_pass_but_wrong(cases)
        print(f"{'called pass, wrong in the census':34s} {len(wrong):6d}  {', '.join(wrong[:3])}")
        failed = collections.Counter(_kind(c["after"]["script"]) for c in cases if c["status"] == "failed")
        for kind, count in failed.most_common(40):
            print(f"{count:5d}  {kind}")

    def _called_pass_but_wrong(self, cases: list[dict]) -> list[str]:
        records = (json.loads(line) for line in (self.work / "after.jsonl").open())
        seen = {f"{r['file']}::{r['i']}": r for r in records if "i" in r}
        key = {"script": "script_match", "trace": "trace_match"}
        passing = [c for c in cases if c["passed_as"] in key]
        numbers = {c["name"]: "::".join(re.split(r"::|:", c["name"])[:2]) for c in passing}
        return [c["name"] for c in passing if seen.get(numbers[c["name"]], {}).get(key[c["passed_as"]]) is False]


def _kind(verdict: dict | None) -> str:
    """A verdict's message without its names and numbers."""
    message = re.sub(r"[`'][^`']*[`']", "…", verdict["message"] if verdict else "not run")
    return re.sub(r"\d+", "N", message)[:110]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("generated", "harness", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--target", default="script")
    yardstick = Yardstick(parser.parse_args())
    yardstick.census("before")
    yardstick.migrate()
    yardstick.census("after", "--overlay", str(yardstick.work / "out"))
    yardstick.score()


if __name__ == "__main__":
    main()
