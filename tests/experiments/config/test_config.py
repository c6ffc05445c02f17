import time
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest
import tomli_w
from pydantic import Field, ValidationError

import jax_acts
from jax_acts import Bound
from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import ConfigError, validate
from jax_acts.experiments.config.load import Source, load_config
from jax_acts.experiments.config.schema import (
    Activations,
    DataConfig,
    Section,
    Seeds,
    StudyConfig,
    TrainingConfig,
    TrialBatch,
)

TINY = """
study = "tiny"
activations = ["relu"]
seeds = 3

[model]
channels = [2]

[data]
path = "data/own.npz"

[training]
epochs = 4
"""


class Model(Section):
    channels: tuple[int, ...] = Field(default=(8, 16), strict=False)


class Config(StudyConfig):
    activations: Activations
    seeds: Seeds = 5
    data: DataConfig = DataConfig()
    model: Model = Model()
    training: TrainingConfig = TrainingConfig()
    trial_batch: TrialBatch = TrialBatch()

    QUICK: ClassVar = {
        "seeds": lambda n: min(n, 2),
        "data.num_train": 96,
        "training": TrainingConfig.shorten,
    }


SCHEMAS = {"tiny": Config, "other": Config}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def load(path: Path, *overrides: str) -> Config:
    config = load_config(Source(path, overrides), SCHEMAS)
    assert isinstance(config, Config)
    return config


def errors(path: Path, *overrides: str) -> list[str]:
    source = Source(path, overrides)
    with pytest.raises(ConfigError) as caught:
        load_config(source, SCHEMAS)
    return [source.line(issue) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("sedes=3", "sedes: expected one of study, name, quick, activations, seeds, d"),
        ("sedes=3", "did you mean 'seeds'?"),
        ("data.batchsize=3", "data.batchsize: expected one of name, path, image_size,"),
        ("data.batchsize=3", "did you mean 'training.batch_size'?"),
        ("training.lr=3", "did you mean 'training.optimizer.learning_rate'?"),
        ("training.learning_rate=3", "mean 'training.optimizer.learning_rate'?"),
        (
            "training.optimizer.learnin_rate=1",
            "training.optimizer.learnin_rate: expected one of kind, learning_rate, b1, "
            "b2, weight_decay; did you mean 'learning_rate'?",
        ),
        ("data.folder=x", "did you mean 'data.path'?"),
        ("seeds=many", "seeds = 'many': expected an integer"),
        ("seeds=true", "seeds = True: expected an integer"),
        ("seeds=2.0", "seeds = 2.0: expected an integer"),
        ("seeds=0", "seeds = 0: expected a number >= 1"),
        ("training.optimizer.learning_rate=inf", "= inf: expected a finite number"),
        ("training.optimizer.learning_rate=0", "= 0: expected a number > 0"),
        ("training.epochs=-1", "training.epochs = -1: expected a number >= 1"),
        ("training.steps=20", "training: expected steps or epochs, got both"),
        (
            "training.num_evals=3",
            "num_evals to divide epochs, got num_evals = 3 and ep",
        ),
        ("training.schedule=cosin", "'cosin': expected constant or cosine; did you me"),
        ("training.optimizer.kind=adamm", "expected adam or sgd; did you mean 'adam'?"),
        (
            "trial_batch.vmap_width=3",
            "vmap_width to divide size, got vmap_width = 3 an",
        ),
        ("model.channels=[8, true]", "model.channels[1] = True: expected an integer"),
        ("model.channels=8", "model.channels = 8: expected a list"),
        ("training.optimizer=3", "training.optimizer = 3: expected a table of keys"),
        ("data.image_size=99999", "data.image_size = 99999: expected a number <= 1024"),
        ("data.path=3", "data.path = 3: expected a path"),
        ('activations=["relu", "rellu"]', "activations[1] = 'rellu': "),
        ('activations=["rellu"]', "did you mean 'relu' or"),
        ('activations=["relu", "relu"]', "expected distinct values, got relu twice"),
        ('activations=["silu", "swish"]', "expected distinct values, got silu twice"),
        (
            "activations=[3]",
            "activations[0] = 3: expected the name of an activation, g",
        ),
        ("activations=[]", "activations = []: expected 1 or more entries"),
        (
            "study=tinny",
            "study = 'tinny': expected one of tiny, other; did you mean 't",
        ),
        ("name=../x", "name = '../x': expected letters, digits, '_', '.' and '-' only"),
        ("seeds", "--set: expected key=value, got 'seeds'"),
        ("seeds.x=3", "seeds = 3: expected a table of keys"),
        ("a..b=3", "--set: expected key=value, got 'a..b=3'"),
    ],
)
def test_an_invalid_override_is_one_line(tiny, override, expected):
    (line,) = errors(tiny, override)
    assert "\n" not in line
    assert line.startswith(f"config error: {tiny} with --set {override}: ")
    assert expected in line


def test_every_fault_of_a_file_is_reported(tiny):
    tiny.write_text(tiny.read_text().replace("seeds = 3", "seeds = -3\nsedes = 3"))
    lines = errors(tiny, "training.epochs=0")
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        str(tiny),
        f"{tiny} with --set training.epochs=0",
        str(tiny),
    ]


def test_a_missing_file_names_the_nearest(tiny):
    (line,) = errors(tiny.with_name("tyni.toml"))
    assert line.endswith(f"expected a TOML file, got no file; did you mean '{tiny}'?")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"seeds = = 3", "expected TOML: Invalid value (at line 1, column 9)"),
        (b"\xff\xfe", "expected a readable file:"),
        (b"", "study: expected one of tiny, other"),
        (b"study = 3", "study = 3: expected one of tiny, other"),
        (b'study = "tiny"', "activations: expected a value, got none"),
    ],
)
def test_an_invalid_file_is_refused(tiny, content, expected):
    tiny.write_bytes(content)
    (line,) = errors(tiny)
    assert line.startswith(f"config error: {tiny}: {expected}")


@pytest.mark.parametrize(
    "content",
    [
        'study = "{}"',
        'study = "tiny"\n{} = 1',
        'study = "tiny"\n[data]\n{} = 1',
        'study = "tiny"\nactivations = ["{}"]',
        'study = "tiny"\nname = "{}"',
        'study = ["{}"]',
    ],
)
def test_a_fault_of_a_long_text_is_a_short_line(tiny, content):
    tiny.write_text(content.format("a" * 50_000))
    for line in errors(tiny):
        assert len(line) < 1100 + len(str(tiny))


def test_case_is_no_difference_between_names():
    assert did_you_mean("x_train", ["y_train", "X_train"]) == (
        "; did you mean 'X_train'?"
    )
    assert did_you_mean("x", ["relu"]) == ""


def test_overrides_are_toml_values_or_else_strings(tiny):
    config = load(
        tiny,
        "training.optimizer={kind='sgd', learning_rate=3e-1}",
        "data.name=npz",
        "name=other",
        "seeds=7",
    )
    assert (config.name, config.seeds, config.data.name) == ("other", 7, "npz")
    assert config.training.optimizer.learning_rate == 0.3


def test_a_config_is_frozen_and_hashable(tiny):
    first, second = load(tiny), load(tiny)
    assert first == second
    assert hash(first) == hash(second)
    with pytest.raises(ValidationError, match="frozen"):
        first.name = "other"


def test_a_resolved_config_loads_as_itself(tiny, tmp_path):
    config = load(tiny)
    path = tmp_path / "elsewhere" / "resolved.toml"
    path.parent.mkdir()
    path.write_text(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))
    again = load(path)
    assert again == config
    assert again.digest() == config.digest()
    assert load(tiny, "seeds=4").digest() != config.digest()


def test_paths_resolve_against_the_config_file(tiny, monkeypatch):
    assert load(tiny).data.path == tiny.parent / "data" / "own.npz"
    monkeypatch.chdir(tiny.parent)
    assert load(Path("tiny.toml")).data.path == tiny.parent / "data" / "own.npz"
    assert load(tiny, "data.path=/x/y.npz").data.path == Path("/x/y.npz")


def test_the_length_of_a_training_is_steps_or_epochs(tiny):
    assert load(tiny).training.num_evals == 4
    assert load(tiny).training.num_steps(num_train=250) == 4 * 2
    assert TrainingConfig().steps == 1000
    assert TrainingConfig(steps=50).num_evals == 10
    assert TrainingConfig(epochs=3).describe().startswith("3 epochs of 100 examples")


def test_the_quick_version_is_small_and_marked(tiny):
    quick = load(tiny).to_quick()
    assert (quick.quick, quick.seeds, quick.data.num_train) == (True, 2, 96)
    assert (quick.training.epochs, quick.training.steps) == (2, None)
    assert quick.training.num_evals == 2
    assert quick.digest() != load(tiny).digest()
    assert load(tiny).quick is None


def without_default(x, key):
    return x + key


def halve(x):
    return x[..., ::2]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (without_default, "missing 1 required positional argument: 'key'"),
        (halve, "expected an activation that preserves the shape of its input, got"),
    ],
)
def test_a_function_that_is_no_activation_is_refused(
    tiny, monkeypatch, function, expected
):
    monkeypatch.setattr("jax_acts.get", lambda spec: Bound(function))
    (line,) = errors(tiny)
    assert expected in line


def nested(levels: int) -> dict:
    """Return the table of `levels` functions, each within the one before."""
    spec: dict = {"name": "silu"}
    for _ in range(levels - 1):
        spec = {"name": "affine", "of": spec}
    return spec


def referring_to_itself() -> dict:
    spec: dict = {"name": "affine"}
    spec["of"] = spec
    return spec


def doubled(levels: int) -> dict:
    """Return a table with 2**levels entries that are the same objects."""
    value: list = [1.0]
    for _ in range(levels):
        value = [value, value]
    return {"name": "polynomial", "coefficients": value}


SPECS = [
    *map(nested, (1, 2, 7, 8, 9, 10, 11, 17, 200, 5000)),
    *({"name": "polynomial", "coefficients": [0.1] * n} for n in (1, 40, 80, 120, 600)),
    *({"name": "polynomial", "coefficients": [1 / 3] * n} for n in (20, 22, 24, 40)),
    {"name": "b_spline", "degree": 900},
    {"name": "b_spline", "degree": 900, "coefficients": [0.0] * 901},
    {"name": "x" * 10_000},
    referring_to_itself(),
    doubled(40),
]


@pytest.mark.parametrize("spec", SPECS, ids=[*map(str, range(len(SPECS)))])
def test_what_a_config_accepts_can_be_read_back_and_all_else_is_one_line(spec):
    raw = {"study": "tiny", "name": "x", "activations": [spec]}
    begin = time.process_time()
    try:
        config = validate(Config, raw)
    except ConfigError as error:
        (issue,) = error.issues
        assert "expected" in issue.message or "unknown" in issue.message
        assert len(issue.message) < 1000
    else:
        text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
        again = validate(Config, tomllib.loads(text))
        assert again == config
    assert time.process_time() - begin < 20


@pytest.mark.slow  # evaluates the shape of every function
def test_every_activation_that_a_config_accepts_can_be_read_back():
    accepted = []
    for name in jax_acts.names():
        try:
            config = Config(study="tiny", name="x", activations=(name,))
        except ValidationError:  # it requires an argument or a key, or halves the axis
            continue
        accepted.append(name)
        again = Config.model_validate_json(config.model_dump_json())
        assert again.activations == config.activations
    assert len(accepted) > 100
