"""The admission policies of the chart, judged by a real API server."""
