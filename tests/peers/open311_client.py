"""Answers a line of JSON for each on standard input, as a client of Open311 of another make.

Run by a Python that has the package georeport. It can ask, not send: what is sent goes by requests,
the library that it asks with.
  {"do": "services" | "definition" | "requests" | "request", "root", "form", "with": {...}}
  {"do": "post", "root", "form", "with": {fields}, "headers"?}
"""

import json
import sys

import requests
import xmltodict
from georeport import GeoReport


def asked(question):
    """Return what georeport makes of the answer."""
    client = GeoReport(question["root"], output_format=question["form"])
    ask = {
        "services": client.get_service_list,
        "definition": client.get_service_definition,
        "requests": client.get_service_requests,
        "request": client.get_service_request,
    }[question["do"]]
    return ask(**question.get("with", {}))


def posted(question):
    """Return the status, the type and the parsed body of the answer to a form."""
    form = question["form"]
    url = f"{question['root']}/requests.{form}"
    answer = requests.post(
        url, data=question["with"], headers=question.get("headers", {}), timeout=30
    )
    read = xmltodict.parse if form == "xml" else json.loads
    kind = answer.headers["Content-Type"]
    return {"status": answer.status_code, "type": kind, "body": read(answer.content)}


for line in sys.stdin:
    told = json.loads(line)
    found = posted(told) if told["do"] == "post" else asked(told)
    sys.stdout.write(json.dumps(found) + "\n")
