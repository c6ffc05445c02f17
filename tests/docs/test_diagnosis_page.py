"""docs/diagnosis.md shows the code that made it and the stored costs."""

import inspect

from benchmarks.results import DiagnosisRow, load
from tools.docs import diagnosis


def test_page_has_the_code_the_costs_and_the_images():
    text = diagnosis.PAGE.read_text(encoding="utf-8")
    for part in (diagnosis.MLP, diagnosis.see):
        for line in inspect.getsource(part).splitlines():
            assert line.partition("  # noqa")[0] in text, line
    rows = [DiagnosisRow(*row) for row in load("diagnosis")["rows"]]
    assert all(line in text for line in diagnosis.costs(rows))
    for image in ("gradients", "outputs"):
        assert f"](diagnosis/{image}.png)" in text
        assert (diagnosis.IMAGES / f"{image}.png").stat().st_size > 5000


def test_a_measurement_costs_less_than_five_percent_of_the_steps():
    stored = load("diagnosis")
    for row in (DiagnosisRow(*row) for row in stored["rows"]):
        assert row.measurement < 0.05 * stored["interval"] * row.step, row
