"""Whatever answers: our engines, the baselines, and any other model of inspect, behind one kind of model string."""
