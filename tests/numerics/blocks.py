"""Building blocks with their inputs and their mpmath references."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from numpy.typing import NDArray

from jax_acts._core.compat import enable_x64
from jax_acts._numerics import exp_log, range_reduction, softmax, trig
from jax_acts.testing import ulps
from jax_acts.testing.evaluation import OPTIMIZED

mp: Any = mpmath.mp
F32, F64 = "float32", "float64"
Inputs = tuple[NDArray[Any], ...]


class Block(NamedTuple):
    """A building block whose docstring states its bounds."""

    function: Callable[..., Any]
    """The function whose docstring states the bound."""
    inputs: Callable[[np.random.Generator, int, str], Inputs]
    references: tuple[Callable[..., Any], ...]
    """One mpmath function for each output."""
    call: Callable[..., Any] | None = None
    """The function of the inputs, where that is not `function`."""
    magnitude: Callable[..., Any] | None = None
    """The least magnitude whose ulp is the unit, where that is not the result."""
    dtypes: tuple[str, ...] = (F32, F64)


def uniform(low: Any, high: Any) -> Any:
    """Draw from [low, high], half of the draws with log-uniform magnitudes."""

    def draw(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
        start, end = (v[dtype] if isinstance(v, dict) else v for v in (low, high))
        wide = rng.uniform(start, end, count // 2)
        small = 2.0 ** rng.uniform(-40, 0, count - count // 2)
        small = small * rng.choice([v for v in (start, end) if v], small.size)
        return (np.concatenate([wide, small, [start, end]]).astype(dtype),)

    return draw


def together(*draws: Any) -> Any:
    """Draw several arguments of one length."""

    def draw(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
        columns = [rng.permutation(d(rng, count, dtype)[0]) for d in draws]
        return tuple(columns)

    return draw


def magnitudes(low: int, high: int) -> Any:
    """Draw log-uniform magnitudes from 2^low to 2^high, of both signs."""

    def draw(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
        size = 2.0 ** rng.uniform(low, high, count + 2)
        return ((size * rng.choice([-1, 1], count + 2)).astype(dtype),)

    return draw


def with_low_word(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
    """Draw an exponent as the product of two halves, with a low word."""
    (y,) = uniform(NORMAL, 69)(rng, count, dtype)
    bits = 12 if dtype == F32 else 26
    return y, (y * 2.0**-bits * rng.uniform(-1, 1, y.size)).astype(dtype)


def reduced(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
    """Draw the output of `log_reduce`."""
    (f,) = uniform(0.5**0.5 - 1, 2**0.5 - 1)(rng, count, dtype)
    return f, rng.integers(-100, 100, f.size).astype(dtype)


def angles(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
    """Draw inputs of every magnitude, and the closest ones to multiples of π/4."""
    (x,) = magnitudes(-30, 120 if dtype == F32 else 19)(rng, count // 2, dtype)
    near = rng.integers(-(2**14), 2**14, count // 2) * (np.pi / 4)
    return (np.concatenate([x, near.astype(dtype)]),)


def waves(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
    """Draw a, b and x, of which half nearly cancel."""
    x = rng.uniform(-20, 20, count)
    a = 2.0 ** rng.uniform(-4, 4, count)
    b = 2.0 ** rng.uniform(-4, 4, count) * rng.choice([-1, 1], count)
    b[::2] = (-a * np.cos(x) / np.sin(x))[::2]
    return a.astype(dtype), b.astype(dtype), x.astype(dtype)


def logit_vectors(rng: np.random.Generator, count: int, dtype: str) -> Inputs:
    """Draw entries below a maximum."""
    m = rng.uniform(-60, 60, count).astype(dtype)
    m[::4] *= 1000
    return np.minimum(m - rng.uniform(0, 80, count), m).astype(dtype), m


def near_unit_power(m: mp.mpf) -> mp.mpf:
    """Return e^m 2^-l for the integer l next to m / ln 2; 1 for |m| >= 2048."""
    return mp.exp(m) * mp.mpf(2) ** -mp.nint(m / mp.ln(2)) if abs(m) < 2048 else 1


NORMAL = {F32: -87.3, F64: -708.3}
SUBNORMAL = {F32: -103.0, F64: -744.0}
NEAR_OVERFLOW = {F32: 88.0, F64: 709.0}
OVERFLOW = {F32: 88.7, F64: 709.7}


BLOCKS: dict[str, Block] = {
    "exp": Block(exp_log.exp, uniform(NORMAL, 69), (mp.exp,)),
    "exp with a low word": Block(
        exp_log.exp, with_low_word, (lambda y, lo: mp.exp(y + lo),)
    ),
    "exp_or_inf": Block(exp_log.exp_or_inf, uniform(-87, NEAR_OVERFLOW), (mp.exp,)),
    "mul_exp": Block(
        exp_log.mul_exp,
        together(magnitudes(-20, 3), uniform(SUBNORMAL, 69)),
        (lambda v, y: v * mp.exp(y),),
    ),
    "exp_full_range": Block(
        exp_log.exp_full_range, uniform(NORMAL, OVERFLOW), (mp.exp,)
    ),
    "expm1": Block(exp_log.expm1, uniform(-50, 39), (mp.expm1,)),
    "exp_and_expm1": Block(
        exp_log.exp_and_expm1, uniform(NORMAL, 39), (mp.exp, mp.expm1)
    ),
    "expm1_plus": Block(
        exp_log.expm1_plus,
        together(uniform(-60, 0), magnitudes(-3, 3), magnitudes(-3, 3)),
        (lambda y, a, b: a * mp.expm1(y) + b,),
        magnitude=lambda y, a, b: np.maximum(abs(a), abs(b)),
    ),
    "expm1_minus": Block(
        exp_log.expm1_minus, uniform(-50, 0), (lambda x: mp.expm1(x) - x,)
    ),
    "log1p": Block(exp_log.log1p, uniform(-0.5, 1), (mp.log1p,)),
    "log1p_ratio": Block(
        exp_log.log1p_ratio, uniform(0, 1), (lambda f: mp.log1p(f) / f if f else 1,)
    ),
    "log": Block(
        exp_log.log,
        lambda rng, count, dtype: (
            np.concatenate(
                [
                    abs(magnitudes(-120, 120)(rng, count // 2, dtype)[0]),
                    uniform(0.5, 2)(rng, count // 2, dtype)[0],
                ]
            ),
        ),
        (mp.log,),
    ),
    "log_of_reduced": Block(
        exp_log.log_of_reduced,
        reduced,
        (lambda f, k: mp.log1p(f) + k * mp.log(2),),
    ),
    "sin": Block(trig.sin, angles, (mp.sin,), dtypes=(F32,)),
    "sin_squared": Block(
        trig.sin_squared, angles, (lambda x: mp.sin(x) ** 2,), dtypes=(F32,)
    ),
    "sine_of": Block(
        trig.sine_of,
        angles,
        (mp.sin,),
        lambda x: trig.sine_of(range_reduction.angle(x)),
    ),
    "cosine_of": Block(
        trig.cosine_of,
        angles,
        (mp.cos,),
        lambda x: trig.cosine_of(range_reduction.angle(x)),
    ),
    "wave": Block(
        trig.wave,
        waves,
        (lambda a, b, x: a * mp.cos(x) + b * mp.sin(x),),
        lambda a, b, x: trig.wave(a, b, range_reduction.angle(x)),
        lambda a, b, x: np.maximum(abs(a), abs(b)) / 16,
    ),
    "exponentials of softmax": Block(
        softmax.exponentials,
        logit_vectors,
        (lambda x, m: mp.exp(x - m) * near_unit_power(m),),
        lambda x, m: softmax.exponentials(x, m, None) * 2.0**-60,
        dtypes=(F32,),
    ),
}


WORST: dict[str, dict[str, list[tuple[float, ...]]]] = {
    "exp": {
        F32: [(-81.44212341308594,)],
        F64: [(-708.0662735798887,)],
    },
    "exp with a low word": {
        F32: [(-1.6717360019683838, 0.0002446062571834773)],
        F64: [(-615.8104236505657, -8.727239776268039e-06)],
    },
    "exp_or_inf": {
        F32: [(-59.9561882019043,)],
        F64: [(594.3905506258458,)],
    },
    "mul_exp": {
        F32: [(-0.00032596869277767837, -38.418373107910156)],
        F64: [(1.2819343031415726e-06, -382.9545074279888)],
    },
    "exp_full_range": {
        F32: [(-16.2886905670166,)],
        F64: [(-708.0305777207868,)],
    },
    "expm1": {
        F32: [(0.39445096254348755,)],
        F64: [(0.35873108141328214,)],
    },
    "exp_and_expm1": {
        F32: [(26.73691749572754,), (0.39445096254348755,)],
        F64: [(-708.2775179328889,), (0.35873108141328214,)],
    },
    "log1p": {
        F32: [(0.9734677076339722,)],
        F64: [(0.9454274868521215,)],
    },
    "log1p_ratio": {
        F32: [(0.947269082069397,)],
        F64: [(0.9914815598222229,)],
    },
    "log": {
        F32: [(0.6330990195274353,)],
        F64: [(0.7035202047466523,)],
    },
    "log_of_reduced": {
        F32: [(0.2501859664916992, -1.0)],
        F64: [(0.40467003595006423, -1.0)],
    },
    "expm1_plus": {
        F32: [(-0.4088378846645355, -0.18499574065208435, 0.16517449915409088)],
        F64: [(-0.41777680822575736, -3.673272965496429, 2.248927929657984)],
    },
    "exponentials of softmax": {
        F32: [(-68.48865509033203, 6.674728870391846)],
    },
    "sin": {
        F32: [(-12746.2373046875,)],
    },
    "sin_squared": {
        F32: [(505.7964172363281,)],
    },
    "sine_of": {
        F32: [(5917.97509765625,)],
        F64: [(-36.91219652741191,)],
    },
    "cosine_of": {
        F32: [(704.5021362304688,)],
        F64: [(6419.059189447345,)],
    },
    "expm1_minus": {
        F32: [(-1.8397890329360962,)],
        F64: [(-1.8145066478857643,)],
    },
    "wave": {
        F32: [(0.072445809841156, -1.562893033027649, 10.127800941467285)],
        F64: [(0.41392333117825303, -0.4098438548215015, 7.028454926703432)],
    },
}
"""The inputs of the greatest error among two million, one for each output."""


def evaluate(function: Callable[..., Any], inputs: Inputs) -> Any:
    """Return the outputs of a compiled function."""
    with enable_x64(True):
        program = jax.jit(lambda *args: function(*args), compiler_options=OPTIMIZED)
        return jax.tree.map(np.asarray, program(*map(jnp.asarray, inputs)))


def exact(reference: Callable[..., Any], inputs: Inputs) -> tuple[Any, Any]:
    """Return the reference at the inputs as the nearest float64 and the rest."""
    rows = zip(*(v.astype(np.float64).tolist() for v in inputs), strict=True)
    with mp.workdps(60):
        values = [reference(*map(mp.mpf, row)) for row in rows]
        hi = np.array([float(v) for v in values])
        lo = [float(v - mp.mpf(h)) for v, h in zip(values, hi.tolist(), strict=True)]
    return hi, np.array(lo)


def measure(name: str, dtype: str, count: int, seed: int = 0) -> list[float]:
    """Return the greatest error of each output in ulp."""
    block = BLOCKS[name]
    drawn = block.inputs(np.random.default_rng(seed), count, dtype)
    worst = zip(*WORST[name][dtype], strict=True)
    inputs = tuple(
        np.append(a, w).astype(dtype) for a, w in zip(drawn, worst, strict=True)
    )
    outputs = evaluate(block.call or block.function, inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    errors = []
    for output, reference in zip(outputs, block.references, strict=True):
        hi, lo = exact(reference, inputs)
        error = ulps(output, hi, lo)
        if block.magnitude:
            size = np.maximum(abs(hi), block.magnitude(*inputs))
            error = abs((output - hi) - lo) / np.spacing(size.astype(dtype))
        errors.append(float(error.max()))
    return errors


def relative_error(
    call: Callable[..., Any], reference: Callable[..., Any], inputs: Inputs
) -> float:
    """Return the greatest relative error of hi + lo."""
    words = [v.astype(np.float64).tolist() for v in (*evaluate(call, inputs), *inputs)]
    with mp.workdps(120):
        errors = [mp.mpf(0)]
        for hi, lo, *arguments in zip(*words, strict=True):
            want = reference(*map(mp.mpf, arguments))
            errors.append(abs((mp.mpf(hi) + lo - want) / want) if want else abs(hi))
        return float(max(errors))
