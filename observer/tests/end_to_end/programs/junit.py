"""Reads a JUnit report as a CI server would, and prints its suite and test cases as JSON."""

import json
import sys

from junitparser import JUnitXml

report = JUnitXml.fromfile(sys.argv[1])
[suite] = report
cases = [
    {
        "name": case.name,
        "results": [{"kind": type(of).__name__, "message": of.message, "text": of.text} for of in case.result],
    }
    for case in suite
]
counts = [suite.tests, suite.failures, suite.errors, suite.skipped]
suite.update_statistics()
assert counts == [suite.tests, suite.failures, suite.errors, suite.skipped], counts
print(json.dumps({"counts": counts, "cases": cases, "output": suite._elem.findtext("system-out")}))
