"""The report of a run: one HTML file, well-formed, with everything that ran."""

import re
from html.parser import HTMLParser

from stackbuild.reporting.html_report import ReportedLayer, RunReport, report_html
from stackbuild.reporting.layer_changes import LayerChange
from stackbuild.reporting.timing import TimedTask


class Outline(HTMLParser):
    """The tags that are open, and those that were closed in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of its own."""

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.wrong.append(tag)


def task(name: str, started: float, seconds: float, *needs: str) -> TimedTask:
    return TimedTask(name=name, started=started, seconds=seconds, needs=needs, done="3 files", why="<it> changed")


def report(**changes: object) -> RunReport:
    values: dict[str, object] = {
        "specification": "a & b/venvstacks.toml",
        "when": "2026-01-02T03:04:05+00:00",
        "seconds": 4.0,
        "up_to_date": 2,
        "failed": {},
        "tasks": [task("build:py", 0.0, 1.0), task("build:app-x", 1.0, 3.0, "build:py"), task("lock:y", 0.0, 0.5)],
        "layers": [
            ReportedLayer(name="py", below=(), environment=2_000_000, archive=500_000, changed=True),
            ReportedLayer(name="app-x", below=("py",), environment=None, archive=None, changed=False),
        ],
    }
    return RunReport(**{**values, **changes})  # type: ignore[arg-type]


def test_document_is_well_formed_and_loads_nothing() -> None:
    text = report_html(report())
    outline = Outline()
    outline.feed(text)
    assert (outline.open, outline.wrong) == ([], [])
    assert not re.search(r"https?:|<script|<link|src=|url\(", text)
    assert "&lt;it&gt; changed" in text
    assert "<it>" not in text
    assert "a &amp; b/venvstacks.toml" in text


def test_critical_path_is_told_and_marked() -> None:
    text = report_html(report())
    assert "<b>build:py</b> 1.00 s → <b>build:app-x</b> 3.00 s" in text
    assert text.count('class="bar critical"') == 2
    assert text.count('class="bar"') == 1
    assert "3 tasks run, 2 up to date, 0 failed" in text


def test_layers_stand_right_of_those_below_with_their_sizes() -> None:
    text = report_html(report())
    boxes = re.findall(r'class="layer( changed)?" x="(\d+)" y="(\d+)"', text)
    assert boxes == [(" changed", "1", "1"), ("", "261", "1")]
    assert text.count('class="line"') == 1
    assert "2.0 MB · packed 500.0 kB" in text
    assert "- · packed -" in text


def test_changes_since_the_last_run_are_told_where_there_are_some() -> None:
    packages = ("scipy 1.14.0 -> 1.15.1", "+ <new> 1.0")
    change = LayerChange(packages=packages, target="x@1 -> x@2", archive=(1_000_000, 3_100_000))
    text = report_html(report(changes=[("app-x", change)]))
    outline = Outline()
    outline.feed(text)
    assert (outline.open, outline.wrong) == ([], [])
    assert "<td>x@1 -&gt; x@2\nscipy 1.14.0 -&gt; 1.15.1\n+ &lt;new&gt; 1.0</td>" in text
    assert "<td></td><td>3.1 MB (+2.1 MB)</td>" in text
    assert "What changed" not in report_html(report())


def test_run_without_tasks_and_failures_are_told() -> None:
    text = report_html(report(tasks=[], layers=[], failed={"build:py": "no <room>"}))
    assert "nothing ran" in text
    assert "<pre>no &lt;room&gt;</pre>" in text


def test_secrets_and_control_characters_are_not_in_the_report() -> None:
    text = report_html(report(failed={"lock:py": "no https://me:a b@h/s?token=c, \x1b[2J"}))
    assert "no https://h/s, \\u001b[2J" in text
