"""Reads OpenMetrics as strictly as its reference parser does, and says each family's name and type."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

text = sys.stdin.read()
print(json.dumps({family.name: family.type for family in text_string_to_metric_families(text)}))
