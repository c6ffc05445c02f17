"""`get`: text and dict specs, their errors, and round trips of `Bound`."""

import copy
import functools
import json
import math
import pickle
import tomllib

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
import yaml
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from jax_acts import (
    Bound,
    Learn,
    get,
    hard_silu,
    hard_tanh,
    identity,
    leaky_relu,
    relu,
    rrelu,
    tanh,
)
from jax_acts._core.spec import Axis, Coefficients
from jax_acts._registry.lookup import FUNCTIONS, aliases, names
from jax_acts._registry.parser import MAX_LENGTH, parse_spec
from tests.conftest import check_each

GOOD = {
    "relu": Bound(relu),
    " ReLU ": Bound(relu),
    "nn.relu": Bound(relu),
    "jax.nn.relu": Bound(relu),
    "jnp.tanh": Bound(tanh),
    "hard-swish": Bound(hard_silu),
    "Hard Swish": Bound(hard_silu),
    "None": Bound(identity),
    "leaky_relu()": Bound(leaky_relu),
    "leaky_relu(0.01)": Bound(leaky_relu),
    "leaky_relu(negative_slope=0.2)": Bound(leaky_relu, negative_slope=0.2),
    "leaky_relu( .2, )": Bound(leaky_relu, negative_slope=0.2),
    "leaky_relu(\n  0.2\n)": Bound(leaky_relu, negative_slope=0.2),
    "leaky_relu(-1e-3)": Bound(leaky_relu, negative_slope=-1e-3),
    "leaky_relu(+1)": Bound(leaky_relu, negative_slope=1.0),
    "leaky_relu(-inf)": Bound(leaky_relu, negative_slope=-math.inf),
    "leaky_relu(nan)": Bound(leaky_relu, negative_slope=math.nan),
    "leaky_relu(Learn(0.25))": Bound(leaky_relu, negative_slope=Learn(0.25)),
    "leaky_relu(Learn(-1))": Bound(leaky_relu, negative_slope=Learn(-1)),
    "leaky_relu(Learn(init=0.25, per_feature=True))": Bound(
        leaky_relu, negative_slope=Learn(0.25, per_feature=True)
    ),
    "prelu": Bound(leaky_relu, negative_slope=Learn(0.25)),
    "prelu(0.1)": Bound(leaky_relu, negative_slope=0.1),
    "hard_tanh(-2, max_val=2)": Bound(hard_tanh, min_val=-2.0, max_val=2.0),
    "rrelu(None, 0.1, training=True)": Bound(rrelu, lower=0.1, training=True),
}

BAD = {
    "": "expected a name",
    "  ": "expected a name",
    "sliu": "'silu'",
    "Leaky": "did you mean",
    "no_such_function(1)": "unknown activation 'no_such_function'",
    "(0.5)": "expected a name",
    "torch:": "expected a name",
    "troch:relu": "did you mean 'torch'",
    "torch:jax:relu": "expected a name",
    "relu)": "expected a name",
    "leaky_relu(0.5": "expected a name",
    "leaky_relu(0.5))": "do not parse",
    "leaky_relu(0.5)(0.5)": "expected only a name and arguments",
    "leaky_relu(0.5).real": "expected a name",
    "leaky_relu(0.5, negative_slope": "expected a name",
    "leaky_relu(negative_slope=0.5, negative_slope=0.5)": "appears twice",
    "leaky_relu(x=0.5)": "expected arguments negative_slope, got 'x'",
    "leaky_relu(negatve_slope=0.5)": "did you mean 'negative_slope'",
    "leaky_relu(0.1, 0.2)": "too many positional",
    "leaky_relu(0.1, negative_slope=0.2)": "multiple values",
    "leaky_relu('0.1')": "expected a number or Learn",
    "leaky_relu(True)": "expected a number or Learn",
    "leaky_relu((0.1, 0.2))": "expected a number or Learn",
    "leaky_relu(1_000)": "expected a number, got '1_000'",
    "leaky_relu(0x10)": "expected a number, got '0x10'",
    "leaky_relu(1j)": "expected a number, got '1j'",
    "leaky_relu(1if 2else 3)": "expected a number, got '1if'",
    f"leaky_relu({'9' * 400})": "expected a float, got an integer beyond it",
    "leaky_relu(Learn)": "expected a value, got 'Learn'",
    "leaky_relu(Learn())": "missing",
    "leaky_relu(Learn('a'))": "expected a number",
    "leaky_relu(Learn(1, per_feature='a'))": "expected True or False",
    "leaky_relu(Learn(1, start=2))": "unexpected",
    "leaky_relu(Learn(Learn(1)))": "expected a number",
    "leaky_relu(learn(1))": "expected a value",
    "rrelu(training=1)": "expected True or False, got 1",
    "rrelu(training=Learn(1))": "static",
    "__import__('os')": "unknown activation '__import__'",
    "relu(__import__('os').system('true'))": "expected a value",
    "leaky_relu(negative_slope=os.environ)": "expected a value, got 'os.environ'",
    "leaky_relu(lambda: 1)": "unexpected character ':'",
    "leaky_relu([x for x in (1, 2)])": "expected a value",
    "leaky_relu(*(1, 2))": "unexpected character '*'",
    "leaky_relu(2**9999)": "unexpected character '*'",
    "leaky_relu(1 + 1)": "expected a value, got '1 + 1'",
    "leaky_relu(f'{1}')": "unexpected character '{'",
    "leaky_relu(b'1')": "expected a value",
    "leaky_relu('\\x00')": "unexpected character",
    "leaky_relu(\x00)": "unexpected character",
    "relu\x00": "expected a name",
    "réłu": "expected a name",
    "leaky_relu(ｎegative_slope=1)": "unexpected character",
    "leaky_relu(１)": "unexpected character",
    "leaky_relu(" + "-" * 400 + "1)": "expected a value",
    "leaky_relu(" + "(" * 240 + "1" + ")" * 240 + ")": "do not parse",
    "leaky_relu(" + "[" * 150 + "1" + "]" * 150 + ")": "expected a value",
    "relu" * MAX_LENGTH: f"at most {MAX_LENGTH} characters",
}


def variations(f):
    """Yield the function with each of its arguments changed in turn."""
    yield Bound(f)
    for name, parameter in list(f.signature.parameters.items())[1:]:
        if parameter.annotation is bool:
            yield Bound(f, **{name: not parameter.default})
        elif parameter.annotation == Axis:
            yield from (Bound(f, **{name: axis}) for axis in (0, (0, -1), None))
        elif parameter.annotation == Coefficients:
            values = (0.1, -1e-30, 3.0, 1 / 3, math.inf)
            yield Bound(f, **{name: values})
            yield Bound(f, **{name: Learn(values)})
            yield Bound(f, **{name: Learn((1 / 3,), per_feature=True)})
        elif isinstance(parameter.default, float):
            values = (0.1, -1e-30, 3, 1 / 3, math.inf, -math.inf, math.nan)
            yield from (Bound(f, **{name: value}) for value in values)
            if name not in f.static:
                start = (
                    parameter.default + 1 / 3
                    if math.isfinite(parameter.default)
                    else 0.5
                )
                yield Bound(f, **{name: Learn(start)})
                yield Bound(f, **{name: Learn(start, per_feature=True)})
                yield Bound(f, **{name: Learn(start, True, sharding="m")})
                yield Bound(f, **{name: Learn(start, True, sharding=("m", "d"))})
                yield Bound(f, **{name: Learn(start, bounds=(-100, 1e3))})
                yield Bound(f, **{name: Learn(start, bounds=(-math.inf, math.inf))})


def test_a_valid_spec_gives_the_function_and_its_arguments():
    assert {spec: get(spec) for spec in GOOD} == GOOD


def test_an_invalid_spec_is_an_error_with_the_reason():
    check_each(is_refused, BAD)


def is_refused(spec):
    with pytest.raises((ValueError, TypeError)) as error:  # without a warning
        get(spec)
    assert BAD[spec] in str(error.value), str(error.value)
    assert len(str(error.value)) < 400


def test_a_long_spec_is_rejected_without_parsing():
    for spec in ("x" * 10**7, "relu(" + "(" * 10**6, "relu" + " " * 10**6 + "("):
        with pytest.raises(ValueError, match="expected at most 500 characters"):
            get(spec)


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        ({"name": "leaky_relu", "negative_slope": 0.2}, "leaky_relu(0.2)"),
        ({"name": "leaky_relu(0.2)"}, "leaky_relu(0.2)"),
        ({"name": "hardshrink", "dialect": "torch", "lambd": 0.3}, "hard_shrink(0.3)"),
        ({"name": "torch:hardshrink", "lambd": 0.3}, "hard_shrink(0.3)"),
        ({"name": "leaky_relu", "negative_slope": {"learn": 0.2}}, "prelu(Learn(0.2))"),
        (("leaky_relu", {"negative_slope": 0.2}), "leaky_relu(0.2)"),
        (["leaky_relu", {"negative_slope": 0.2}], "leaky_relu(0.2)"),
        (None, "identity"),
        (Bound(leaky_relu, negative_slope=0.2), "leaky_relu(0.2)"),
        (leaky_relu, "leaky_relu"),
    ],
)
def test_a_spec_may_be_a_dict_a_pair_a_function_a_bound_or_none(spec, same):
    assert get(spec) == get(same)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({}, "expected a dict with the key 'name'"),
        ({"alpha": 0.5}, "expected a dict with the key 'name'"),
        ({"name": 3}, "expected a dict with the key 'name'"),
        ({"name": ""}, "expected a name"),
        ({"name": "relu", "dialect": "caffe"}, "dialect: expected .* got 'caffe'"),
        ({"name": "leaky_relu", "negative_slope": {}}, "'learn': 0.25"),
        (
            {"name": "leaky_relu", "negative_slope": {"learn": 1, "by": 2}},
            "'learn': 0.25",
        ),
        ({"name": "leaky_relu", "negative_slope": {"learn": "a"}}, "expected a number"),
        ({"name": "leaky_relu", "negative_slope": "0.1"}, "expected a number or Learn"),
        (("relu", {}, {}), "expected a name, a function or a dict"),
        (3, "expected a name, a function or a dict"),
        (b"relu", "expected a name, a function or a dict"),
    ],
)
def test_an_invalid_dict_or_object_is_an_error_with_the_reason(spec, complaint):
    with pytest.raises((ValueError, TypeError), match=complaint):
        get(spec)


@pytest.mark.parametrize(
    ("class_name", "config", "same"),
    [
        (
            "LeakyReLU",
            {"negative_slope": 0.3, "name": "a", "trainable": True},
            "keras:LeakyReLU",
        ),
        ("LeakyReLU", {"alpha": 0.1}, "leaky_relu(0.1)"),
        ("ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}, "relu6"),
        ("ELU", {"alpha": 0.5, "dtype": {"class_name": "DTypePolicy"}}, "elu(0.5)"),
        ("PReLU", {"alpha_initializer": {"class_name": "Zeros"}}, "keras:PReLU"),
        ("Softmax", {"axis": 1}, "softmax(axis=1)"),
        ("Activation", {"activation": "gelu"}, "gelu_exact"),
        (
            "Activation",
            {"activation": {"class_name": "function", "config": "mish"}},
            "mish",
        ),
        ("function", "hard_sigmoid", "hard_sigmoid"),
    ],
)
def test_a_serialized_keras_layer_is_a_spec(class_name, config, same):
    spec = {"class_name": class_name, "config": config, "module": "keras.layers"}
    assert get(spec) == get(same)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"class_name": "Dense", "config": {}}, "keras: unknown activation 'Dense'"),
        ({"class_name": "ELU", "config": 3}, "keras: expected {'class_name'"),
        (
            {"class_name": "PReLU", "config": {"shared_axes": [1]}},
            "keras:PReLU: expected",
        ),
    ],
)
def test_another_keras_config_is_an_error(spec, complaint):
    with pytest.raises(ValueError, match=complaint):
        get(spec)


@pytest.mark.parametrize("name", names())
def test_every_function_lowers_like_a_jitted_function(name):
    f = FUNCTIONS[name]
    key = {"key": jax.random.key(0)} if "key" in f.parameters else {}
    x = jax.ShapeDtypeStruct((2, 4), jnp.float32)
    want = jax.eval_shape(functools.partial(f, **key), x)
    assert f.lower(x, **key).out_info.shape == want.shape


def test_keyword_arguments_override_those_of_the_spec():
    same = get("leaky_relu(negative_slope=0.2)", negative_slope=0.3)
    assert same == get("leaky_relu(0.3)")
    assert get(get("leaky_relu(0.2)"), negative_slope=0.3) == get("leaky_relu(0.3)")
    assert get("hardshrink", dialect="torch", lambd=0.3) == get("hard_shrink(0.3)")
    assert get("torch:hardshrink", dialect="keras", lambd=0.3) == get(
        "hard_shrink(0.3)"
    )


def test_functions_of_other_libraries_are_not_replaced():
    for function in (jax.nn.silu, nn.gelu, nnx.softplus, jnp.tanh, lambda x: x):
        assert get(function).function is function
    assert get(jax.nn.leaky_relu, negative_slope=0.5)(-2.0) == -1


def test_an_unknown_argument_is_an_error_that_lists_the_valid_ones():
    with pytest.raises(
        TypeError, match=r"expected arguments threshold, got 'lambd'; .*torch:hards"
    ):
        get("hard_shrink", lambd=0.3)
    with pytest.raises(TypeError, match=r"torch:hardshrink\(lambd=0\.5\).*'threshold'"):
        get("torch:hardshrink", threshold=0.3)


def test_every_bound_round_trips_as_text_dict_and_pickle():
    check_each(round_trips, (b for f in FUNCTIONS.values() for b in variations(f)))


def round_trips(bound):
    again = {
        "text": get(str(bound)),
        "dict": get(bound.to_dict()),
        "JSON": get(json.loads(json.dumps(bound.to_dict()))),
        "YAML": get(yaml.safe_load(yaml.safe_dump(bound.to_dict()))),
        "TOML text": get(tomllib.loads(f"f = {json.dumps(str(bound))}")["f"]),
        "pickle": pickle.loads(pickle.dumps(bound)),
        "copy": copy.copy(bound),
        "deepcopy": copy.deepcopy(bound),
    }
    if None not in bound.arguments.values():  # TOML has no null
        again["TOML"] = get(tomllib.loads(f"f = {toml(bound.to_dict())}")["f"])
    for way, other in again.items():
        assert other == bound, f"{way}: {other}, not {bound}"
        assert hash(other) == hash(bound), way


def toml(value):
    """Return a value as inline TOML."""
    match value:
        case dict():
            return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + "}"
        case list():
            return f"[{', '.join(toml(v) for v in value)}]"
        case bool() | str():
            return json.dumps(value)
        case _:
            return repr(value)


def test_a_bound_array_cannot_be_encoded():
    with pytest.raises(
        TypeError, match="leaky_relu: negative_slope: expected a value that JSON"
    ):
        Bound(leaky_relu, negative_slope=jnp.ones(3)).to_dict()


def test_equal_specs_are_traced_once():
    specs = ["leaky_relu(0.2)", {"name": "LeakyReLU", "negative_slope": 0.2}]
    bounds = [*map(get, specs), pickle.loads(pickle.dumps(get(specs[0])))]

    @functools.partial(jax.jit, static_argnums=0)
    @chex.assert_max_traces(n=2)  # once for the function, once for its linen layer
    def call(f, x):
        return f.apply({}, x) if isinstance(f, nn.Module) else f(x)

    @nnx.jit
    @chex.assert_max_traces(n=1)
    def call_layer(f, x):
        return f(x)

    for bound in bounds:
        call(bound, jnp.ones(3))
        call(jax_acts.linen.Activation(bound), jnp.ones(3))
        call_layer(jax_acts.nnx.Activation(bound), jnp.ones(3))


def test_every_alias_of_a_function_resolves_to_it():
    for name in names():
        listed = aliases(name)
        assert (listed[0].dialect, listed[0].call) == ("jax_acts", name)
        for alias in listed:
            if "…" not in alias.meaning:  # a required argument
                assert get(alias.meaning).name == name, alias
                assert str(get(alias.call, alias.dialect)) == alias.meaning, alias


def test_a_misspelled_name_is_an_error_with_the_closest_names():
    for typed, meant in {
        "sliu": "silu",
        "hardtahn": "hard_tanh",
        "Relu7": "relu",
    }.items():
        with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
            get(typed)
    with pytest.raises(
        ValueError,
        match="torch: unknown activation 'hard_mish'; did you mean 'jax_acts:hard_",
    ):
        get("torch:hard_mish")


def test_a_spec_of_the_maximum_length_is_valid():
    spec = f"leaky_relu({' ' * (MAX_LENGTH - 15)}0.2)"
    assert len(spec) == MAX_LENGTH
    assert parse_spec(spec).positional == (0.2,)


PAIRS = [
    "silu",
    "gelu",
    "gelu_exact",
    "gelu_quick",
    "relu",
    "squared_relu",
    "selu",
    "sigmoid",
    "linear",
]


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_of_activations_is_a_gated_unit(name):
    x = jnp.linspace(-3, 3, 8)
    first, second = x[:4], x[4:]
    f = get(name)
    close = functools.partial(chex.assert_trees_all_close, rtol=1e-6)
    close(get((name, "linear"))(x), f(first) * second)
    close(get(["linear", name])(x), first * f(second))
    layers = jax_acts.linen.GatedDense, {"use_bias": False}
    unit, single = (
        layers[0](4, activation=a, **layers[1]) for a in ((name, "linear"), name)
    )
    variables = single.init(jax.random.key(0), x)
    close(unit.apply(variables, x), single.apply(variables, x))


def test_a_tuple_of_one_name_is_the_function():
    assert get(("relu",)) == get(["relu"]) == get("relu")


def test_a_pair_without_the_identity_is_an_error():
    with pytest.raises(ValueError, match="expected a pair of the identity and one of"):
        get(("silu", "tanh"))
