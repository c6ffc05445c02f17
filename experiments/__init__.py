"""Comparisons of activations that run from a config: `python -m experiments --help`.

configs -> __main__, cli -> studies -> schema, data, models, training, records, report
-> jax_acts
"""
