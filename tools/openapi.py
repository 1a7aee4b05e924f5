"""Write each service's OpenAPI document to docs/openapi, where a change of it is seen in review."""

import json
from importlib import import_module
from pathlib import Path

from srpitp_contracts.names import ServiceName

FOLDER = Path(__file__).parent.parent / "docs" / "openapi"


def document(service: ServiceName) -> str:
    """Return a service's OpenAPI document as it is kept."""
    main = import_module(f"services.{service}.main")
    # A document says nothing of keys and addresses, so any will do.
    app = main.create_app(main.Settings(service_key="none"))
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ServiceName:
        (FOLDER / f"{name}.json").write_text(document(name))
