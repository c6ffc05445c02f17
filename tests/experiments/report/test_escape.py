"""Text from outside is escaped in every output."""

import csv
import io
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from experiments.cli import app
from jax_acts.experiments import commands
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.escape import escape_controls, markdown_text, one_line
from jax_acts.experiments.config.load import Source
from jax_acts.experiments.report.export import Sink, export_records
from jax_acts.experiments.report.render import html, markdown, terminal
from jax_acts.experiments.runtime.progress import report_progress
from tests.experiments.conftest import ROOT, SWEEP
from tests.experiments.report.synthetic import (
    FAR,
    INFO,
    STUDIES,
    record,
    report,
    write_run,
)

CONTROLS = [
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "a\nerror: b",
    "\x00",
    "\x7f",
    "cat\u202egnp.exe",
    "a\u2028b",
    "zero\u200bwidth",
    "\udcff",
]
MARKUP = ["[/red]", "[bold]x[/bold]", "[link=file:///x]y[/link]", "\\[x]"]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u202e\ud800-\udfff]")


@pytest.mark.parametrize("text", CONTROLS)
def test_control_characters_are_visible_escapes(text):
    assert not UNSAFE.search(one_line(text))
    assert "\n" not in one_line(text)
    assert not UNSAFE.search(escape_controls(text))
    assert (
        escape_controls("über × −1 \N{GRINNING FACE}") == "über × −1 \N{GRINNING FACE}"
    )


@pytest.mark.parametrize("text", [*CONTROLS, *MARKUP])
def test_no_command_prints_control_characters_or_evaluates_markup(text, capsys):
    commands.log(text.replace("\n", " "))
    source = Source(ROOT / text)
    with pytest.raises(typer.Exit), commands.exit_on_config_errors(source):
        raise ConfigError(ConfigIssue("data.path", f"data.path = {text}"))
    with pytest.raises(typer.Exit), commands.exit_on_errors():
        raise OSError(2, text, text)
    commands.show_names("datasets", {text: text})
    output = capsys.readouterr()
    assert not UNSAFE.search(output.err)
    assert not UNSAFE.search(output.out)
    assert output.err.count("\n") == 3
    if text in MARKUP:
        assert text in output.out


@pytest.mark.parametrize("text", [*CONTROLS, *MARKUP])
@pytest.mark.parametrize("is_terminal", [False, True])
def test_progress_shows_names_escaped(text, is_terminal):
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=is_terminal, width=120, color_system=None
    )
    runs = [replace_name(one, text) for one in FAR]
    with report_progress(console, {r.run: text for r in runs}, 3) as reporter:
        reporter.add_records(runs)
    # Rich moves the cursor by itself.
    output = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", file.getvalue())
    assert not UNSAFE.search(output)
    assert "31m" not in output or "\\x" in output


def replace_name(one, text):
    return one.model_copy(update={"run": f"{text}{one.run}"})


# No file holds a surrogate, so no record does.
@pytest.mark.parametrize("text", [*CONTROLS[:-1], *MARKUP])
def test_reports_show_names_escaped(text):
    runs = [record(0.9, activation=f"{text}{n}", seed=s) for n in "ab" for s in (0, 1)]
    page = replace(report(runs), conclusion=text, question=text, setup=text)
    console = Console(file=io.StringIO(), width=120)
    console.print(terminal(page, 120), highlight=False)
    assert not UNSAFE.search(console.file.getvalue())
    assert not UNSAFE.search(markdown(page, [INFO._replace(config=text)]))
    if text in MARKUP:
        assert text in console.file.getvalue()


MARKDOWN = [
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<!-- x",
        "<http://x>",
    ),
    *("[a](http://x)", "![a](http://x)", "[a][b]", "[a]: http://x", "a|b", "`code`"),
    *("**bold**", "_a_", "__a__", "~~a~~", "# a", "> a", "- a", "1. a", "&lt;", "\\"),
    *("a\n\n# b", "a\n| b", "```\nx"),
]


@pytest.mark.parametrize("text", MARKDOWN)
def test_markdown_shows_text_as_it_is(text):
    escaped = markdown_text(text)
    assert "\n" not in escaped
    active = re.sub(r"\\[\\`|~<&\]!#>*_=+.)-]", "", escaped)
    for pattern in (
        *("<[A-Za-z/!]", r"\]\(", r"\]\[", r"\]:", r"(?<!\\)\|", "`", r"\*\*", "~~"),
        *(r"&\w+;", r"^[#>+-]", r"^\d+[.)] "),
    ):
        assert not re.search(pattern, active), (pattern, escaped)
    assert re.sub(r"\\([\\`|~<&\]!#>*_=+.)-])", r"\1", escaped) == one_line(text)


@pytest.mark.parametrize("fence", ["```", "````", "```\n# heading"])
def test_a_config_does_not_leave_its_code_block(fence):
    text = markdown(report(), [INFO._replace(config=f"name = '''\n{fence}\n'''")])
    block = text[text.index("`toml") - 4 :]
    opening = re.match("`+", block.lstrip("\n"))
    assert opening is not None
    assert len(opening[0]) > len(re.match("`+", fence)[0])


FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1", " =1"]


def test_no_cell_of_a_csv_file_is_a_formula(tmp_path):
    names = [*FORMULAS, *CONTROLS[:-1]]
    runs = [record(0.9, activation=name, seed=n) for name in names for n in (0, 1)]
    runs = [
        one.model_copy(update={"run": f"{one.axes['activation']}{n}"})
        for n, one in enumerate(runs)
    ]
    write_run(tmp_path, runs)
    export_records(tmp_path, STUDIES, Sink.CSV)
    for name in ("runs.csv", "metrics.csv"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            rows = [*csv.reader(file)]
        assert len(rows) > len(runs)
        for cell in (cell for row in rows for cell in row):
            is_number = re.fullmatch(r"-?[0-9.]+(e[-+]?[0-9]+)?", cell)
            assert is_number or cell.lstrip(" ")[:1] not in [*"=+-@\t\r"], cell
            assert not UNSAFE.search(cell.replace("\t", "")), cell


def test_html_escapes_text():
    page = html(replace(report(), conclusion="<script>alert(1)</script>"), [INFO])
    assert "<script>alert(1)" not in page


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, and its config."""
    run = tmp_path_factory.mktemp("finished") / "run"
    config = run.with_name("sweep.toml")
    config.write_text(SWEEP)
    result = CliRunner().invoke(app, ["run", str(config), "--out", str(run)])
    assert result.exit_code == 0, result.output
    return config, run


@pytest.mark.slow
@pytest.mark.xdist_group("escape")
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=lambda environment: "-".join(environment.values()),
)
def test_every_command_runs_where_the_output_is_not_utf8(
    tmp_path, finished, environment
):
    config, run = finished
    for arguments in (
        ["run", config, "--out", run],
        ["validate", config],
        ["report", run],
        ["export", run],
        ["list"],
        ["run", tmp_path / "\udcff.toml"],
    ):
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "experiments",
                *map(os.fsencode, map(str, arguments)),
            ],
            cwd=ROOT,
            env={**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", **environment},
            capture_output=True,
            check=False,
        )
        expected = 2 if "\udcff" in str(arguments[-1]) else 0
        assert process.returncode == expected, process.stderr.decode(errors="replace")
        assert b"Traceback" not in process.stderr
