"""The edge to Stable-Baselines3: what it normalises and replays. Imported when asked for alone."""
