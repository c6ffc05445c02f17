from pathlib import Path

import pytest
import tomli_w
from pydantic import ValidationError
from typer.testing import CliRunner

from experiments.catalogue import STUDIES
from experiments.cli import app
from jax_acts import Bound
from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.load import Source, read

SCHEMAS = {name: study.config for name, study in STUDIES.items()}


def errors(path: Path, *overrides: str) -> list[str]:
    source = Source(path, overrides)
    with pytest.raises(ConfigError) as caught:
        read(source, SCHEMAS)
    return [source.line(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "sedes=3",
            "unknown key 'sedes'; did you mean 'seeds'? (keys here: study",
        ),
        (
            "data.batchsize=3",
            "unknown key 'data.batchsize'; did you mean 'training.batch_size'? "
            "(keys here: set, folder, side, file, train, test)",
        ),
        (
            "training.optimizer.learnin_rate=1",
            "unknown key 'training.optimizer.learnin_rate'; did you mean "
            "'learning_rate'? (keys here: kind, learning_rate, b1, b2, weight_decay)",
        ),
        ("seeds=many", "seeds = 'many': should be a valid integer"),
        ("seeds=true", "seeds = True: should be a valid integer"),
        ("seeds=2.0", "seeds = 2.0: should be a valid integer"),
        ("seeds=0", "seeds = 0: should be greater than or equal to 1"),
        ("training.optimizer.learning_rate=inf", "should be a finite number"),
        ("training.epochs=-1", "training.epochs = -1: should be greater than or equal"),
        (
            "training.schedule=cosin",
            "did you mean 'cosine'? (choices: constant, cos",
        ),
        ("model.pool=max", "model.pool = 'max': no such choice (choices: average, str"),
        (
            "training.optimizer.kind=adamm",
            "training.optimizer.kind = 'adamm': no such choice; did you mean 'adam'? "
            "(choices: adam, sgd)",
        ),
        ("model.channels=[8, 0]", "model.channels[1] = 0: should be greater than"),
        ("model.channels=8", "model.channels = 8: should be a list"),
        ("training.optimizer=3", "training.optimizer = 3: should be a table of keys"),
        ('activations=["relu", "rellu"]', "activations[1]: "),
        ('activations=["rellu"]', "did you mean 'relu' or"),
        ('activations=["relu", "relu"]', "activations: relu is there twice"),
        ("activations=[3]", "activations[0]: an activation is a name, not 3"),
        ("activations=[]", "activations = []: should have 1 or more entries"),
        ("study=cn", "no study 'cn'; did you mean 'cnn'? (studies: "),
        ("name=../x", "name = '../x': should be of letters, digits and _.- alone"),
        ("seeds", "an override is written key=value"),
        ("seeds.x=3", "'seeds' is a value, not a table of keys"),
        ("a..b=3", "an override is written key=value"),
    ],
)
def test_an_override_that_is_wrong_is_one_line_with_the_remedy(tiny, override, said):
    lines = errors(tiny, override)
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert lines[0].startswith(f"config error: {tiny} with --set {override}: ")
    assert said in lines[0]


def test_the_same_faults_in_a_file_name_the_file_and_are_all_told(tiny):
    tiny.write_text(tiny.read_text().replace("seeds = 3", "seeds = -3\nsedes = 3"))
    lines = errors(tiny, "training.epochs=0")
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        str(tiny),
        f"{tiny} with --set training.epochs=0",
        str(tiny),
    ]


def test_a_missing_file_is_named_with_the_nearest(tiny):
    (line,) = errors(tiny.with_name("tyni.toml"))
    assert line.endswith(f"there is no such file; did you mean '{tiny}'?")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"seeds = = 3", "is not TOML: Invalid value (at line 1, column 9)"),
        (b"\xff\xfe", "cannot be read:"),
        (b"", "the key study is missing (studies: "),
        (b"study = 3", "no study 3"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tiny, content, said):
    tiny.write_bytes(content)
    (line,) = errors(tiny)
    assert said in line


def test_a_missing_key_is_named(tiny):
    tiny.write_text('study = "cnn"\n')
    assert errors(tiny) == [f"config error: {tiny}: the key 'activations' is missing"]


def test_overrides_are_values_of_toml_or_else_text(tiny):
    config = read(
        Source(
            tiny,
            (
                "training.optimizer={kind='sgd', learning_rate=3e-1}",
                "data.set=mnist_5k",
                "name=other",
                "seeds=7",
            ),
        ),
        SCHEMAS,
    )
    assert config.model_dump(include={"name", "seeds"}) == {"name": "other", "seeds": 7}
    assert config.model_dump()["training"]["optimizer"]["learning_rate"] == 0.3
    assert config.model_dump()["data"]["set"] == "mnist_5k"


def test_a_config_is_frozen_hashable_and_equal_to_its_equals(tiny):
    first, second = (read(Source(tiny), SCHEMAS) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    with pytest.raises(ValidationError, match="frozen"):
        first.name = "other"


def test_a_resolved_config_reads_back_as_itself(tiny, tmp_path):
    config = read(Source(tiny), SCHEMAS)
    path = tmp_path / "resolved.toml"
    path.write_text(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))
    again = read(Source(path), SCHEMAS)
    assert again == config
    assert again.digest() == config.digest()
    assert read(Source(tiny, ("seeds=4",)), SCHEMAS).digest() != config.digest()


def test_aliases_of_an_activation_are_one(tiny):
    (line,) = errors(tiny, 'activations=["silu", "swish"]')
    assert "silu is there twice" in line


def needy(x, key):
    return x + key


def halving(x):
    return x[..., ::2]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (needy, "missing 1 required positional argument: 'key'"),
        (halving, "halving does not keep the shape of its input"),
    ],
)
def test_a_function_that_no_network_can_use_is_refused(
    tiny, monkeypatch, function, said
):
    monkeypatch.setattr("jax_acts.get", lambda spec: Bound(function))
    (line,) = errors(tiny)
    assert said in line


@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_bad_config_ends_with_status_2_and_leaves_nothing(tiny, command, monkeypatch):
    monkeypatch.chdir(tiny.parent)
    result = CliRunner().invoke(app, [command, "tiny.toml", "--set", "seeds=0"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "config error: tiny.toml with --set seeds=0: seeds = 0: "
        "should be greater than or equal to 1\n"
    )
    assert [p.name for p in tiny.parent.iterdir()] == ["tiny.toml"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.set=digit", "no data set 'digit'; did you mean 'digits'?"),
        ("data.test=9999", "data.test = 9999: digits has 360 such images"),
        ("training.batch_size=65", "training.batch_size = 65: there are 64 training"),
        ("model.channels=[1,1,1,1]", "4 blocks halve an image of 8 × 8 to nothing"),
    ],
)
def test_what_does_not_fit_the_data_is_a_config_error_too(tiny, override, said):
    result = CliRunner().invoke(app, ["validate", str(tiny), "--set", override])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"config error: {tiny} with --set {override}: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_validate_says_what_would_run_and_where(tiny, monkeypatch):
    monkeypatch.chdir(tiny.parent)
    result = CliRunner().invoke(app, ["validate", "tiny.toml"])
    assert result.exit_code == 0
    assert "1 activation × 3 seeds" in result.stdout
    assert "It would run in runs/tiny-" in result.stdout
    assert not Path("runs").exists()
