"""What `causalbook serve` runs: saved policies behind a port, with their log in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from causalbook.project.policy_tables import TablePolicy
from causalbook.project.request_log import RequestLog
from causalbook.project.service import create_app


def serve(
    policies: Sequence[Path],
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    experiment: str = "",
    share: float = 0.5,
    items: Path | None = None,
    planned: float = 0.01,
    sync: bool = False,
) -> None:
    """Run the service until it is stopped.

    Parameters: `policies`, files that `TablePolicy.save` wrote; `folder` of the log; `items`, a
    JSON file with a list of item numbers, one for each action; `host` and `port` to listen on; the
    rest as in `create_app` and `RequestLog`. Raises ValueError as these do. Source: ours.
    """
    import uvicorn

    loaded = [TablePolicy.load(path) for path in policies]
    shown = [] if items is None else json.loads(items.read_text(encoding="utf-8"))
    log = RequestLog(folder, sync=sync)
    app = create_app(loaded, log, experiment=experiment, share=share, items=shown, planned=planned)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
