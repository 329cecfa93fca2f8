"""Parses OpenMetrics from standard input with the reference parser, and prints each family's name and type as JSON."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

text = sys.stdin.read()
print(json.dumps({family.name: family.type for family in text_string_to_metric_families(text)}))
