"""Write openapi_v2.json: the schemas of RunPod's REST v2 that our tests check bodies against.

The facts in it (names, types, limits) are generated from RunPod's OpenAPI document; descriptions and examples are left
out. Make it anew with: ``python tests/runpod/deploy/extract_schemas.py OPENAPI.json``
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOTS = ("CreateEndpointRequest", "UpdateEndpointRequest", "Endpoint", "ErrorResponse")
PATHS = ("/v2/serverless", "/v2/serverless/{id}", "/v2/serverless/{id}/workers", "/v2/serverless/{id}/releases")
TEXT = frozenset({"description", "examples", "example", "x-enum-varnames", "discriminator"})


def main() -> None:
    document = json.loads(Path(sys.argv[1]).read_text())
    schemas = document["components"]["schemas"]
    kept: dict[str, Any] = {}
    wanted = list(ROOTS)
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept[name] = without_text(schemas[name])
            wanted += references(kept[name])
    extract = {
        "source": f"{document['info']['title']} {document['info']['version']}",
        "paths": {path: sorted(set(document["paths"][path]) & {"get", "post", "patch", "delete"}) for path in PATHS},
        "components": {"schemas": dict(sorted(kept.items()))},
    }
    target = Path(__file__).with_name("openapi_v2.json")
    target.write_text(json.dumps(extract, indent=1) + "\n")


def without_text(node: Any, *, of_properties: bool = False) -> Any:
    if isinstance(node, dict):
        return {
            key: without_text(value, of_properties=key == "properties")
            for key, value in node.items()
            if of_properties or key not in TEXT
        }
    return [without_text(entry) for entry in node] if isinstance(node, list) else node


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"].rpartition("/")[2]] if isinstance(node.get("$ref"), str) else []
        return own + [name for value in node.values() for name in references(value)]
    return [name for entry in node for name in references(entry)] if isinstance(node, list) else []


if __name__ == "__main__":
    main()
