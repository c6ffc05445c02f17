"""The comparison of `spirals.toml` in Python, as in a notebook."""

from my_project.models import make_classifier

from jax_acts.experiments import compare

if __name__ == "__main__":
    result = compare(
        make_classifier,
        "data/spirals.npz",
        activations=["relu", "silu", "tanh", "identity"],
        seeds=5,
        steps=500,
        batch_size=64,
        learning_rate=1e-2,
    )
    print(result)
    print(result.report("spirals.html"))
