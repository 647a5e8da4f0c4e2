"""A WSGI application for gunicorn's pre-forked sync workers: one call for each request, over
the worker's kept connection or, with REUSE=off, a new one. The token goes along in the query.
"""

import http.client
import os
from urllib.parse import parse_qs

REUSE = os.environ.get("REUSE") != "off"
connection = http.client.HTTPConnection(os.environ["NEXT"])


def application(environ, start_response):
    truth = parse_qs(environ["QUERY_STRING"])["truth"][0]
    connection.request("GET", f"/call0?truth={truth}", headers={} if REUSE else {"Connection": "close"})
    body = connection.getresponse().read()
    if truth.encode() not in body:
        raise RuntimeError(f"{truth} was answered with {body}")
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
