"""Reports: pure functions of records, rendered as HTML, Markdown, text or PNG.

A study that compares activations by one metric:

    comparison = group_runs(records, study.runs(config), by=("activation",))
    return compare_report(question, setup, comparison, ACCURACY, data=(summary,))

`compare_report` takes further metrics as `columns`, and `charts`, `sections`, `notes`,
`conclusion` or `table` in place of its own. Pieces for them:

    group_runs(records, runs, by=("activation", "depth"), within=("depth",))
        families: only groups of equal depth are compared; the color is the activation
    Metric("dead_fraction", "dead units", "%", 100, bounds=(0, 100), layer="mean")
        of metrics_frame at the last step (`at="first"`: before training), or a column
        of runs_frame ("train_seconds", "num_params")
    comparison.derive("log_gradient", "ratio", lambda layers: layers[0] - layers[9])
        a new metric from one per layer
    comparison.select(depth=20)                    the runs at a position
    comparison.values / curve / scores / summary / tests(metric)    DataFrames
    dot_chart, curve_chart, axis_chart (x is a numeric axis), layer_chart, change_chart
    score_table(comparison, metric, more_metrics, extra, extra_columns)
    paired_test_sections(paired_tests(scores, pairs), metric, title)
    conclude(comparison, metric), describe_difference(row of tests, metric)
"""
