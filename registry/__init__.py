"""What is known, what was decided, what is live. Knows neither gates nor flows."""
