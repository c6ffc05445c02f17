"""The functions of the stored kernels in `data`.

    python -m tests.tools.kernels         with the CUDA plugin of JAX: store them again

They use conversions, bits, comparisons, sums and products, and one division.
"""

from pathlib import Path

import jax
import jax.numpy as jnp

DATA = Path(__file__).with_name("data")
DTYPES = ("float32", "bfloat16", "float16")


def exponential(x: jax.Array) -> jax.Array:
    """Compute e^x, with float32 arithmetic."""
    y = jnp.clip(x.astype(jnp.float32), -80.0, 80.0)
    k = jnp.floor(y * 1.4426950408889634 + 0.5)
    r = y - k * 0.693145751953125 - k * 1.4286068203094172e-06
    p = 1 + r * (1 + r * (0.5 + r * (0.16666667 + r * (0.041666668 + r * 0.0083333))))
    bits = (k.astype(jnp.int32) + 127) << 23
    scale = jax.lax.bitcast_convert_type(bits, jnp.float32)
    return jnp.where(jnp.isnan(x), jnp.nan, p * scale).astype(x.dtype)


def soft_sign(x: jax.Array) -> jax.Array:
    """Compute x / (1 + |x|), in the dtype of x."""
    return x / (1 + jnp.abs(x))


FUNCTIONS = {f.__name__: f for f in (exponential, soft_sign)}


def path_of(name: str, dtype: str) -> Path:
    """Return the file of a kernel."""
    return DATA / f"{name}-{dtype}.ptx"


if __name__ == "__main__":
    from tools.ptx.compile import compile_ptx

    for name, f in FUNCTIONS.items():
        for dtype in DTYPES:
            path_of(name, dtype).write_text(compile_ptx(f, dtype))
