"""How many findings of `check --target trace` are at lines that truly bake: judged by runs and traces of cases.

usage: python benchmarks/trace_precision.py CASES [--src FOLDER] [--jobs N] [--out FILE.json]

Every case is traced on its example, and its eager course is followed, with the example and with every variation that
eager takes. A finding that a case ran is judged

  by graph    traces of the example and of a variation record other operations at its lines
  by number   they record other constants there, or where something uses what it binds
  by device   the trace names a device at its line (for findings about devices)
  by dtype    in double precision, other constants are recorded there (for findings about dtypes)
  by state    a second run in a row records something else from there on (for findings about what runs change)
  by course   a variation takes another way from its condition, or another number of turns
  by tracer   torch warns that a value leaves the trace there, or where it gets its values; no variation changed it
  refuted     none of these

Findings in code that no traceable case ran are not judged, nor conditions of which nothing is seen and that may end
before they come to the input (`m is not None and m.any()`). Printed are the counts by rule, and the refuted ones.
"""

import argparse
import ast
import collections
import json
import re
import sys
import time
from pathlib import Path

WAYS = ("graph", "number", "device", "dtype", "state", "course", "tracer")
ABOUT = {"device": "device-follow", "dtype": "dtype-follow", "state": "kept-state"}
"""Ways that judge the findings of one rule only."""
SECONDS = 20.0  # of runs and traces of one case
REPOSITORY = str(Path(__file__).resolve().parents[1])


def observed(case, source):
    """Lines (file, line) of one case by what was seen there: see the module's docstring. In a worker.

    None where its example cannot be traced.
    """
    import torch

    from tsrefactor.verification.eager import EagerModel, given_calls
    from tsrefactor.verification.errors import EagerError, user_files
    from tsrefactor.verification.graphs import operations
    from tsrefactor.verification.state import ModuleState
    from tsrefactor.verification.tracing import traced, tracer_warnings

    torch.set_num_threads(1)
    is_user_file = user_files(source)
    try:
        model, calls = EagerModel(case, is_user_file), given_calls(case, is_user_file)
        model.materialise(calls[0].inputs)
        state = ModuleState(model.module)
        model.observe_given(calls[0], model.training)
    except EagerError:
        return None
    graphs, moves, ran, warned = [], [], set(), set()
    for seen, course in _runs(model, calls, is_user_file):
        state.restore()
        moves.append(_moves(course))
        ran |= set(course.steps)
        with tracer_warnings(is_user_file) as told:
            try:
                graphs.append(_by_line(operations(traced(model.module, seen.call.inputs, seen.mapping)), is_user_file))
            except Exception:  # what eager takes need not be traceable: only the example must be
                if not graphs:
                    return None
                continue
            finally:
                state.restore()
        warned = warned or {(w.file, w.line) for w in told}
    return {
        "ran": sorted(ran),
        "graph": sorted(_apart(list(map(_kinds, graphs)))),
        "number": sorted(_numbers_apart(graphs)),
        "device": sorted(_on_device(graphs[0])),
        "dtype": sorted(_numbers_apart([graphs[0], *_again(model, calls[0], is_user_file, double=True)])),
        "state": sorted(_apart(_again(model, calls[0], is_user_file))),
        "course": sorted(_apart(moves)),
        "tracer": sorted(warned),
    }


def _again(model, call, is_user_file, double=False):
    """What two traces in a row record, or one in double precision; nothing where torch refuses."""
    from tsrefactor.verification.eager import Call
    from tsrefactor.verification.graphs import operations
    from tsrefactor.verification.state import ModuleState
    from tsrefactor.verification.tracing import traced, tracer_warnings
    from tsrefactor.verification.values import replaced

    inputs, state = call.inputs, ModuleState(model.module)
    if double:
        inputs = replaced(inputs, lambda t: t.double() if t.is_floating_point() else t)
        model.module.double()
    try:
        mapping = model.observe(Call(call.label, inputs), model.training).mapping
        with tracer_warnings(is_user_file):
            programs = [traced(model.module, inputs, mapping) for _ in range(1 if double else 2)]
        return [_by_line(operations(program), is_user_file) for program in programs]
    except Exception:  # not every model takes another precision
        return []
    finally:
        model.module.float() if double else state.restore()


def _runs(model, calls, is_user_file):
    """What eager gives and which way it takes: for the case's inputs, and for the variations that it accepts."""
    from tsrefactor.verification.courses import Following
    from tsrefactor.verification.eager import Call
    from tsrefactor.verification.variations import variations

    until = time.process_time() + SECONDS
    groups = [[Call(c.label, c.inputs)] for c in calls]
    groups += [[Call(v.label, v.inputs, generated=True) for v in group] for group in variations(calls[0].inputs)]
    for group in groups:
        for call in group if time.process_time() < until else ():
            try:
                with Following(is_user_file) as course:
                    seen = model.observe(call, model.training)
            except Exception:  # eager is the judge of what the model takes
                continue
            yield seen, course
            break


def _by_line(recorded, is_user_file):
    """Line → what was recorded there, in order: (kind, operands), where operands that are no constants are alike."""
    found = collections.defaultdict(list)
    for op in recorded:
        place = next((f for f in op.frames if is_user_file(f[0])), None)
        if place is not None:
            found[place].append((op.kind, tuple(re.sub(r"%[\w.]+", "%", o) for o in op.operands)))
    return found


def _kinds(graph):
    """Line → the operations there, whatever their operands."""
    return {place: [kind for kind, _ in ops] for place, ops in graph.items()}


def _numbers_apart(graphs):
    """The lines at which traces hold the same operations with other constants."""
    first, *others = graphs
    apart = {k for m in others for k in first.keys() & m.keys() if first[k] != m[k]}
    return apart - _apart(list(map(_kinds, graphs)))


def _on_device(graph):
    """The lines at which the trace names the device that the example was on."""
    return {place for place, ops in graph.items() if any("device(" in o for _, operands in ops for o in operands)}


def _moves(course):
    """Line → where it went on to, how often."""
    found = collections.defaultdict(collections.Counter)
    for (file, a), (other, b) in zip(course.steps, course.steps[1:], strict=False):
        if file == other:
            found[file, a][b] += 1
    return found


def _apart(maps):
    """The keys at which the first differs from one of the others."""
    first, *others = maps or [{}]
    return {k for m in others for k in first.keys() | m.keys() if first.get(k) != m.get(k)}


class Judge:
    """Collects what the cases showed of the findings of each file."""

    def __init__(self):
        from tsrefactor.config import load
        from tsrefactor.rules import Settings, select_rules
        from tsrefactor.vocabulary import Safety, Target

        self.rules = [r for r in select_rules(load().rules) if Target.TRACE in r.targets and r.safety is Safety.SAFE]
        self.settings = Settings(Target.TRACE)
        self.facts, self.findings = {}, {}
        self.verdicts = {}

    def add(self, case, shown):
        sets = {key: set(map(tuple, shown[key])) for key in shown}
        for file in {f for f, _ in sets["ran"]}:
            for finding in self._of(file):
                place = (file, finding.line, finding.rule, finding.message)
                ways = [w for w in WAYS if any((file, n) in sets[w] for n in self._lines(file, finding, w))]
                if not ways and self._ends_early(file, finding.node):
                    continue
                if any((file, n) in sets["ran"] for n in self._lines(file, finding, "course")):
                    old = self.verdicts.get(place, ("refuted", case))
                    self.verdicts[place] = min(old, (ways[0] if ways else "refuted", case), key=_weight)

    def _lines(self, file, finding, way):
        """Where to look for a finding: of a block at its condition alone, unless its operations are looked at."""
        node = finding.node
        last = getattr(node, "end_lineno", None) or finding.line
        if way not in ("graph", "number") and isinstance(node, (ast.If, ast.While, ast.For)):
            last = node.body[0].lineno - 1
        lines = set(range(finding.line, max(last, finding.line) + 1))
        if way in ABOUT and finding.rule != ABOUT[way]:
            return ()
        function = self._around(file, node)
        if way == "state" and function is not None:
            return set(range(finding.line, function.node.end_lineno + 1))
        if way in ("number", "dtype") and function is not None:
            return lines | _fed(function, node)
        return lines | _feeding(function, node) if way == "tracer" and function is not None else lines

    def _around(self, file, node):
        found = [f for f in self.facts[file].all_functions if f.node.lineno <= node.lineno <= f.node.end_lineno]
        return found[-1] if found else None

    def _ends_early(self, file, node):
        """Whether a condition may end before what depends on an input: something was not given, or a flag is off."""
        test, function = getattr(node, "test", None), self._around(file, node)
        if test is None or function is None:
            return False
        none = (p for p in ast.walk(test) if isinstance(p, ast.Compare) and isinstance(p.ops[0], (ast.Is, ast.IsNot)))
        first = test.values[0] if isinstance(test, ast.BoolOp) else test
        return any(none) or not function.dependence.freezes(first, presume=True)

    def _of(self, file):
        from tsrefactor.facts.file import FileFacts
        from tsrefactor.source.document import Document
        from tsrefactor.source.file import SourceFile

        if file not in self.findings:
            self.facts[file] = facts = FileFacts(Document(SourceFile.read(file)))
            self.findings[file] = [f for rule in self.rules for f in rule.findings(facts, self.settings)]
        return self.findings[file]


def _weight(verdict):
    return (*WAYS, "refuted").index(verdict[0])


def _fed(function, node):
    """Lines of the function that use what a statement binds, or what is made of that, by names and attributes."""
    from tsrefactor.facts.nodes import walk

    statements = _simple(function)
    lines, wanted, grown = set(), set(), True
    held = [
        s for s in statements if node.lineno <= s.lineno <= node.end_lineno or s.lineno <= node.lineno <= s.end_lineno
    ]
    while grown:
        wanted |= {_key(n) for s in held for n in walk(s) if _key(n) and not isinstance(n.ctx, ast.Load)}
        held = [s for s in statements if s.lineno >= node.lineno and any(_key(n) in wanted for n in walk(s))]
        grown = not lines.issuperset(s.lineno for s in held)
        lines |= {n for s in held for n in range(s.lineno, s.end_lineno + 1)}
    return lines


def _feeding(function, node):
    """Lines of the function whose assignments the statement, or the head of the block, may have its values from."""
    from tsrefactor.facts.nodes import walk

    last = node.body[0].lineno - 1 if isinstance(node, (ast.If, ast.While, ast.For)) else node.end_lineno
    wanted = {_key(n) for n in function.nodes if _key(n) and node.lineno <= n.lineno <= max(last, node.lineno)}
    lines, found = set(), True
    while found:
        found = {
            s
            for s in _simple(function)
            if s.lineno < node.lineno
            and s.lineno not in lines
            and any(_key(n) in wanted and not isinstance(n.ctx, ast.Load) for n in walk(s))
        }
        lines |= {n for s in found for n in range(s.lineno, s.end_lineno + 1)}
        wanted |= {_key(n) for s in found for n in walk(s) if _key(n)}
    return lines


def _simple(function):
    return [s for s in function.statements if not isinstance(s, (ast.If, ast.While, ast.For, ast.With, ast.Try))]


def _key(node):
    """The name of a variable, or of an attribute of self."""
    if isinstance(node, ast.Name):
        return node.id
    is_self = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return f"self.{node.attr}" if is_self else None


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
