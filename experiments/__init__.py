"""Comparisons of activations that run from a config: `python -m experiments --help`.

configs -> __main__, cli -> catalogue -> studies -> common -> jax_acts.experiments
"""
