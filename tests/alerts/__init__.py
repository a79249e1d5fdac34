"""Alert rules and dashboards of the chart."""
