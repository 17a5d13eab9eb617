"""Reports to show."""

from tsrefactor.report.model import CaseReport, EditReport, Place, RunReport
from tsrefactor.vocabulary import Outcome, Status, Target, Verdict

PASS = Verdict(Outcome.PASS)
COMPILE = Verdict(
    Outcome.COMPILE_ERROR,
    "Expected a value of type 'Tensor'\nbut got <'int'> & more [bold]x[/bold]",
    "models/deep/net.py",
    1234,
    "input 1",
)


def report() -> RunReport:
    cases = [
        CaseReport("plain", Status.ALREADY, "script", {"script": PASS, "trace": PASS, "reload": PASS}),
        CaseReport(
            "U-Net [deep] & <wide>",
            Status.MIGRATED,
            "script",
            {"script": COMPILE, "trace": PASS, "reload": None},
            {"script": PASS, "trace": PASS, "reload": PASS},
            [
                EditReport("annotate-types", "models/unet.py", 12, True),
                EditReport("super-call", "models/unet.py", 40, False, "the scripted path has no custom gradient"),
            ],
            lines_changed=4,
            rounds=2,
            seconds=1.5,
            notes=["eager results differ from run to run"],
        ),
        CaseReport(
            "early exit",
            Status.PARTIAL,
            "script",
            {"script": COMPILE},
            {"script": PASS, "reload": PASS},
            [EditReport("cold-branch", "models/exit.py", 7, False)],
            [Place("models/exit.py", 8), Place("models/exit.py", 19)],
            lines_changed=2,
        ),
        CaseReport("bad", Status.FAILED, None, {"script": COMPILE}, {"script": COMPILE, "trace": PASS}),
        CaseReport("broken", Status.ERROR, error="zoo.py:3: build raised ValueError: no\n weights"),
    ]
    diff = "diff --git a/models/unet.py b/models/unet.py\n--- a/models/unet.py\n+++ b/models/unet.py\n@@ -1,2 +1,2 @@\n"
    diff += " import torch\n--- x < 1\n+x: List[int] = []\n"
    return RunReport("2.13.0", Target.SCRIPT, cases, {"models/unet.py": diff})
