"""The command line `jax-acts`."""
