"""How many findings of `check --target trace` are at lines that truly bake: judged by runs and traces of cases.

usage: python benchmarks/trace_precision.py CASES [--src FOLDER] [--jobs N] [--out FILE.json]

Every case is traced on its example, and its eager course is followed, with the example and with every variation that
eager takes. A finding that a case ran is judged

  by graph    traces of the example and of a variation record other operations or constants at its lines
  by course   a variation takes another way from its condition, or another number of turns
  by tracer   torch warns there that a value leaves the trace; no variation changed it
  refuted     none of these

Findings in code that no traceable case ran are not judged, nor conditions that also ask whether a tensor was given
(`m is not None and m.any()`) where nothing is seen of them. Printed are the counts by rule, and the refuted ones.
"""

import argparse
import ast
import collections
import json
import sys
from pathlib import Path

WAYS = ("graph", "course", "tracer")
REPOSITORY = str(Path(__file__).resolve().parents[1])


def observed(case, source):
    """(file, line) sets of one case: run, changed by a variation in graph or course, warned of. In a worker."""
    import torch

    from tsrefactor.verification.courses import Following
    from tsrefactor.verification.eager import Call, EagerModel
    from tsrefactor.verification.errors import user_files
    from tsrefactor.verification.graphs import operations
    from tsrefactor.verification.observing import EagerRuns
    from tsrefactor.verification.state import ModuleState
    from tsrefactor.verification.tracing import traced, tracer_warnings

    torch.set_num_threads(1)
    is_user_file = user_files(source)
    runs = EagerRuns(case, is_user_file)
    runs.extend()
    model = EagerModel(case, is_user_file)
    seen = [s for s in runs.observations if s.training == runs.training]
    model.observe(Call(seen[0].call.label, seen[0].call.inputs), runs.training)
    state = ModuleState(model.module)
    graphs, moves, ran, warned = [], [], set(), set()
    for s in seen:
        with Following(is_user_file) as course:
            model.observe(Call(s.call.label, s.call.inputs), runs.training)
        state.restore()
        moves.append(_moves(course))
        ran |= {(f, line) for f, line in course.steps}
        with tracer_warnings(is_user_file) as told:
            try:
                graphs.append(_by_line(operations(traced(model.module, s.call.inputs, s.mapping)), is_user_file))
            except Exception:
                if s is seen[0]:
                    return None
                continue
            finally:
                state.restore()
        if s is seen[0]:
            warned = {(w.file, w.line) for w in told}
    return {
        "ran": sorted(ran),
        "graph": sorted(_apart(graphs)),
        "course": sorted(_apart(moves)),
        "tracer": sorted(warned),
    }


def _by_line(recorded, is_user_file):
    """Line → what was recorded there, in order; operands that are no constants by kind only."""
    found = collections.defaultdict(list)
    for op in recorded:
        place = next((f for f in op.frames if is_user_file(f[0])), None)
        if place is not None:
            found[place].append((op.kind, tuple("%" if "%" in o else o for o in op.operands)))
    return found


def _moves(course):
    """Line → where it went on to, how often."""
    found = collections.defaultdict(collections.Counter)
    for (file, a), (other, b) in zip(course.steps, course.steps[1:], strict=False):
        if file == other:
            found[file, a][b] += 1
    return found


def _apart(maps):
    """The keys at which the first differs from one of the others."""
    first, *others = maps
    return {k for m in others for k in first.keys() | m.keys() if first.get(k) != m.get(k)}


class Judge:
    """Collects what the cases showed of the findings of each file."""

    def __init__(self):
        from tsrefactor.config import load
        from tsrefactor.rules import Settings, select_rules
        from tsrefactor.vocabulary import Safety, Target

        self.rules = [r for r in select_rules(load().rules) if Target.TRACE in r.targets and r.safety is Safety.SAFE]
        self.settings = Settings(Target.TRACE)
        self.findings = {}
        self.verdicts = {}

    def add(self, case, shown):
        sets = {key: set(map(tuple, shown[key])) for key in shown}
        for file in {f for f, _ in sets["ran"]}:
            for finding in self._of(file):
                place = (file, finding.line, finding.rule, finding.message)
                ways = [
                    w for w in ("graph", "course", "tracer") if any((file, n) in sets[w] for n in _lines(finding, w))
                ]
                if not ways and _asks_for_none(finding.node):
                    continue
                if any((file, n) in sets["ran"] for n in _lines(finding, "course")):
                    old = self.verdicts.get(place, ("refuted", case))
                    self.verdicts[place] = min(old, (ways[0] if ways else "refuted", case), key=_weight)

    def _of(self, file):
        from tsrefactor.facts.file import FileFacts
        from tsrefactor.source.document import Document
        from tsrefactor.source.file import SourceFile

        if file not in self.findings:
            facts = FileFacts(Document(SourceFile.read(file)))
            self.findings[file] = [f for rule in self.rules for f in rule.findings(facts, self.settings)]
        return self.findings[file]


def _asks_for_none(node):
    """Whether a condition ends early where something was not given."""
    parts = ast.walk(node.test) if isinstance(node, (ast.If, ast.While, ast.IfExp)) else ()
    return any(isinstance(p, ast.Compare) and isinstance(p.ops[0], (ast.Is, ast.IsNot)) for p in parts)


def _weight(verdict):
    return (*WAYS, "refuted").index(verdict[0])


def _lines(finding, way):
    """The lines of a finding; of a block, those of its condition alone, unless its operations are looked at."""
    node = finding.node
    last = getattr(node, "end_lineno", None) or finding.line
    if way != "graph" and isinstance(node, (ast.If, ast.While, ast.For)):
        last = node.body[0].lineno - 1
    return range(finding.line, max(last, finding.line) + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases")
    parser.add_argument("--src", type=Path, default=Path.cwd())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, REPOSITORY)
    from tsrefactor.migration.schedule import run_all
    from tsrefactor.workers.pool import Workers
    from tsrefactor.workers.spec import parse_spec
    from tsrefactor.workers.task import Task

    judge, source = Judge(), (str(options.src.resolve()),)

    def work(name):
        [result] = yield [Task("benchmarks.trace_precision:observed", name, {"source": source}, seconds=120.0)]
        if result.value is not None:
            judge.add(name, result.value)

    with Workers(parse_spec(options.cases), options.jobs, 120.0, print) as workers:
        run_all(workers, [work(name) for name, _ in workers.case_names()], options.jobs)
    report(judge.verdicts, options.out)


def report(verdicts, out):
    """The table, and what was refuted."""
    by_rule = collections.defaultdict(collections.Counter)
    for (_, _, rule, _), (verdict, _) in verdicts.items():
        by_rule[rule][verdict] += 1
        by_rule["all"][verdict] += 1
    ways = (*WAYS, "refuted")
    print(f"{'rule':28s}" + "".join(f"{w:>9s}" for w in ways) + "  precision")
    for rule, counts in sorted(by_rule.items()):
        share = 1 - counts["refuted"] / counts.total()
        print(f"{rule:28s}" + "".join(f"{counts[w]:9d}" for w in ways) + f"  {share:.1%}")
    for (file, line, rule, message), (verdict, case) in sorted(verdicts.items()):
        if verdict == "refuted":
            print(f"refuted: {file}:{line}: {rule} {message} ({case})")
    if out:
        rows = [[*place, *verdict] for place, verdict in sorted(verdicts.items())]
        out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
