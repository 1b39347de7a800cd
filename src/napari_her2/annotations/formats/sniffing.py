"""Which format a file is in, told by what it holds; its name decides nothing."""

from __future__ import annotations

from typing import Any, Literal

__all__ = ["JsonKind", "Kind", "kind_of_bytes", "kind_of_json"]

Kind = Literal["json", "xml", "parquet", "wkt", "table", "unknown"]
JsonKind = Literal["qupath", "coco", "cytomine", "sectra"]

_WKT = (
    b"POINT", b"MULTIPOINT", b"LINESTRING", b"MULTILINESTRING", b"POLYGON", b"MULTIPOLYGON",
    b"GEOMETRYCOLLECTION",
)  # fmt: skip
_SEPARATORS = (b",", b";", b"\t")


def kind_of_bytes(data: bytes) -> Kind:
    """Tell JSON, XML, Parquet, well-known text and tables apart."""
    if data.startswith(b"PAR1"):
        return "parquet"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data[:8192].decode("utf-16", errors="replace").encode()
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith((b"{", b"[")):
        return "json"
    if head.startswith(b"<"):
        return "xml"
    if head.upper().startswith(_WKT):
        return "wkt"
    first = head.split(b"\n", 1)[0]
    if b"\0" not in head and any(s in first for s in _SEPARATORS):
        return "table"
    return "unknown"


def kind_of_json(document: Any) -> JsonKind:
    """Tell the tools apart that write JSON; QuPath's where no other fits."""
    first = document[0] if isinstance(document, list) and document else document
    if isinstance(first, dict) and "type" not in first.keys() & {"type"}:
        if isinstance(first.get("annotations"), list) and "features" not in first:
            return "coco"
        if "location" in first or "location" in _dict(first.get("annotation")):
            return "cytomine"
        if isinstance(first.get("collection"), list):
            return "cytomine"
    if isinstance(first, dict) and isinstance(first.get("content"), list):
        return "sectra"
    return "qupath"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
