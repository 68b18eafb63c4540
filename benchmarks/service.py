"""Sustained load on the service: /recommend against an empty endpoint of the same server.

    python benchmarks/service.py [SECONDS] [--sync]

One connection, then four, stay open and ask in a closed loop, one request for each endpoint in
turns, so that both meet the same machine at the same moments; with four the server is never idle,
and each request may wait for one of the other kind. /recommend reads JSON, checks it, draws,
writes its line to the log and answers; /empty answers. Printed are the quantiles of both, their
ratios and the requests a second; a run fails if the log lacks the line of an answer. A test holds
the ratio of the 95% quantiles under 3. With --sync each line waits for the disk: what surviving a
power cut costs.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from causalbook.project import RequestLog, TablePolicy, create_app, read_requests

CONNECTIONS = (1, 4)
CONTEXT = "buys Drama"
QUANTILES = {"p50": 50, "p95": 95, "p99": 99}


def run_server(folder: Path, port: int, sync: bool) -> None:
    """Serve with one more endpoint, which does nothing."""
    import uvicorn
    from fastapi import Response

    policy = TablePolicy({CONTEXT: [0.1, 0.05, 0.05, 0.1, 0.65, 0.05]})
    app = create_app([policy], RequestLog(folder, sync=sync))

    @app.post("/empty")
    async def empty() -> Response:
        return Response()

    uvicorn.run(app, port=port, log_level="warning", access_log=False)


class Connection:
    """One open connection that sends the same bytes again and again: the client costs little."""

    def __init__(self, port: int) -> None:
        for _ in range(200):
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
                break
            except OSError:
                time.sleep(0.1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Post and return the status and the body of the answer."""
        head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        self.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head_, _, rest = got.partition(b"\r\n\r\n")
        length = int(head_.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(rest) < length:
            rest += self._more()
        return int(head_.split()[1]), rest

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _more(self) -> bytes:
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


def load(port: int, user: int, seconds: float) -> dict[str, list[float]]:
    """Ask both endpoints in turns; return the seconds of each answer."""
    body = json.dumps({"user": user, "context": CONTEXT}).encode()
    took: dict[str, list[float]] = {"/recommend": [], "/empty": []}
    end = time.perf_counter() + seconds
    with closing(Connection(port)) as connection:
        while time.perf_counter() < end:
            for path, own in took.items():
                start = time.perf_counter()
                status, _ = connection.ask(path, body)
                own.append(time.perf_counter() - start)
                if status != 200:
                    raise RuntimeError(f"{path} answered {status}")
    return took


def measure(
    seconds: float, *, connections: int = 4, sync: bool = False
) -> dict[str, dict[str, float]]:
    """Run server and load; return milliseconds by endpoint and quantile, and requests a second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = [sys.executable, __file__, "--serve", folder, str(port), *["--sync"] * sync]
        process = subprocess.Popen(server)
        try:
            load(port, 0, min(0.5, seconds))  # warm
            with ThreadPoolExecutor(connections) as pool:
                parts = list(pool.map(lambda user: load(port, user, seconds), range(connections)))
        finally:
            process.terminate()
            process.wait()
        lines = read_requests(folder)["impressions"]
    told: dict[str, dict[str, float]] = {}
    for path in ("/recommend", "/empty"):
        took = sorted(1000 * t for part in parts for t in part[path])
        cut = statistics.quantiles(took, n=100)
        told[path] = {name: cut[q - 1] for name, q in QUANTILES.items()}
        told[path] |= {"a second": len(took) / seconds}
    answered = sum(len(part["/recommend"]) for part in parts)
    if not answered <= (lines["user"] >= 0).sum():
        raise RuntimeError(f"{answered} answers, {len(lines)} lines: the log has lost some")
    return told


def main() -> None:
    """Print the table."""
    from turns import keep

    seconds = next((float(word) for word in sys.argv[1:] if word[0] != "-"), 20.0)
    for connections in CONNECTIONS:
        told = measure(seconds, connections=connections, sync="--sync" in sys.argv)
        print(f"connections: {connections}; milliseconds, and requests a second")
        for path, row in told.items():
            print(f"  {path:11}" + "".join(f"{name:>9} {x:7.2f}" for name, x in row.items()))
        if connections == 1:  # with four, both wait for each other
            p95 = {"/recommend": "/recommend", "an empty endpoint": "/empty"}
            times = {name: told[path]["p95"] for name, path in p95.items()}
            work = "a recommendation answered and logged, 95% quantile, one connection"
            keep(work, times, peers=["fastapi", "uvicorn"], clock="wall", unit="ms")
        ratios = {name: told["/recommend"][name] / told["/empty"][name] for name in QUANTILES}
        print("  ratio      " + "".join(f"{name:>9} {x:7.2f}" for name, x in ratios.items()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        run_server(Path(sys.argv[2]), int(sys.argv[3]), "--sync" in sys.argv)
    else:
        main()
