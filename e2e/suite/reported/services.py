"""A program for a pod: model providers and MCP servers that answer exactly what a script says.

`/NAME/v1/chat/completions` takes the next reply of script NAME, `/NAME/mcp` is an MCP server over
streamable HTTP with its tools; `/NAME/_asked` lists the requests. It uses no MCP library, because
no library sends what these scripts send. Argument: the scripts as JSON.
"""

import http.server
import json
import queue
import sys
from typing import Any

PORT = 8000
Json = dict[str, Any]


class Play:
    """One script and its position. `replies` and `results` are answered in order; the last one
    stands for all that follow. `moved`: MCP requests are redirected to the path with a slash.
    `page`: the answer to other GETs. A result `{"ask": MESSAGE}` asks the client first; its text is
    what the client answered."""

    def __init__(self, script: Json) -> None:
        self.replies: list[Json] = script.get("replies", [])
        self.tools: list[Json] = script.get("tools", [])
        self.results: list[Json] = script.get("results", [])
        self.moved: bool = script.get("moved", False)
        self.page: Json = script.get("page", {})
        self.asked: list[Json] = []
        self.calls: list[Json] = []
        self.answered = queue.Queue[Json]()

    def reply(self, body: Json) -> Json:
        """The next answer of the model provider: status, headers and json."""
        self.asked.append(body)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]

    def called(self, parameters: Json) -> Json:
        """The next result of a tool."""
        self.calls.append(parameters)
        return self.results[min(len(self.calls), len(self.results)) - 1]


PLAYS: dict[str, Play] = {}


def expanded(found: Json) -> Any:
    """`{"repeat": TEXT, "times": N}` as the text: an argument of a program cannot be long."""
    return found["repeat"] * found["times"] if set(found) == {"repeat", "times"} else found


class Services(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The log of a script, or a list of models for the probe of a provider."""
        _, name, *rest = self.path.split("/")
        if rest == ["_asked"]:
            play = PLAYS[name]
            self.answer({"json": {"asked": play.asked, "calls": play.calls}})
        elif "models" in rest:
            self.answer({"json": {"object": "list", "data": []}})
        elif "mcp" in rest:
            self.answer({"status": 405, "json": {}})
        else:
            self.answer({"json": PLAYS[name].page})

    def do_POST(self) -> None:
        """A call of a model or a message to an MCP server."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        _, name, *rest = self.path.split("/")
        play = PLAYS[name]
        if "mcp" not in rest:
            self.answer(play.reply(body))
        elif play.moved and not self.path.endswith("/"):
            self.answer({"status": 307, "headers": {"Location": f"{self.path}/"}, "json": {}})
        elif "method" not in body:
            play.answered.put(body)
            self.answer({"status": 202, "json": {}})
        elif "id" not in body:
            self.answer({"status": 202, "json": {}})
        else:
            self.message(play, body)

    def do_DELETE(self) -> None:
        """The end of an MCP session."""
        self.answer({"json": {}})

    def message(self, play: Play, asked: Json) -> None:
        """Answer one message of MCP."""
        result: Json = {}
        match asked["method"]:
            case "initialize":
                result = {
                    "protocolVersion": asked["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "scripted", "version": "1"},
                }
            case "tools/list":
                result = {"tools": play.tools}
            case "tools/call":
                result = play.called(asked["params"])
                if "status" in result:
                    self.answer(result)
                    return
                if "ask" in result:
                    self.converse(play, asked["id"], result["ask"])
                    return
        self.answer({"json": {"jsonrpc": "2.0", "id": asked["id"], "result": result}})

    def converse(self, play: Play, number: object, question: Json) -> None:
        """Ask the client in a stream of events, then give the result."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.event({"jsonrpc": "2.0", "id": "question", **question})
        said = json.dumps(play.answered.get(timeout=30))
        result = {"content": [{"type": "text", "text": f"the client said {said}"}]}
        self.event({"jsonrpc": "2.0", "id": number, "result": result})

    def event(self, message: Json) -> None:
        """One event of a stream."""
        self.wfile.write(f"event: message\ndata: {json.dumps(message)}\n\n".encode())
        self.wfile.flush()

    def answer(self, reply: Json) -> None:
        """Send a reply: status, headers, json."""
        content = json.dumps(reply["json"]).encode()
        self.send_response(reply.get("status", 200))
        for name, value in reply.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the pod's log stays empty."""


if __name__ == "__main__":
    scripts = json.loads(sys.argv[1], object_hook=expanded)
    PLAYS.update({name: Play(script) for name, script in scripts.items()})
    http.server.ThreadingHTTPServer(("", PORT), Services).serve_forever()
