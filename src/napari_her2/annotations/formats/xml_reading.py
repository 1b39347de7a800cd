"""XML, read piece by piece: no entities, no document type, no network, with caps.

Of a cut or damaged file, what stands before the damage is read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.formats.limits import MAX_DEPTH
from napari_her2.errors import BadAnnotationsError

__all__ = ["elements", "root_name"]

_FIRST: Final = re.compile(rb"<\s*([A-Za-z_][\w.:-]*)")
_NOT_ELEMENTS: Final = re.compile(rb"<\?.*?\?>|<!--.*?-->", re.DOTALL)


def root_name(data: bytes) -> str:
    """Name of the outermost element, without namespace; empty if there is none."""
    head = data[:65536]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", errors="replace").encode()
    found = _FIRST.search(_NOT_ELEMENTS.sub(b"", head))
    return found[1].decode("ascii", "replace").rpartition(":")[2] if found else ""


def elements(
    data: bytes, wanted: Collection[str], intake: Intake
) -> Iterator[tuple[Element, list[Element]]]:
    """Yield elements of some names once they are complete, with those around them.

    Parameters
    ----------
    data : bytes
        The file.
    wanted : collection of str
        Names, without namespace. What such an element holds is given back afterwards: memory does
        not grow with the file.
    intake : Intake
        Is told where the file is damaged.

    Yields
    ------
    Element
        Complete; tags without namespace.
    list of Element
        Those around it, outermost first: their attributes, and what they hold so far.

    Raises
    ------
    BadAnnotationsError
        If the XML declares entities or a document type, nests too deep, or holds nothing readable.
    """
    around: list[Element] = []
    begun = False
    parser = iterparse(
        io.BytesIO(data), events=("start", "end"), forbid_dtd=True, forbid_entities=True,
        forbid_external=True,
    )  # fmt: skip
    try:
        for event, element in parser:
            if event == "start":
                begun = True
                _, _, element.tag = element.tag.rpartition("}")
                around.append(element)
                if len(around) > MAX_DEPTH:
                    raise intake.refuse(f"its elements lie more than {MAX_DEPTH} deep")  # noqa: EM102
            else:
                around.pop()
                if element.tag in wanted:
                    yield element, around
                    element.clear()
    except BadAnnotationsError:
        raise
    except DefusedXmlException:
        raise intake.refuse("it declares entities or a document type") from None
    except (ParseError, ValueError, LookupError) as e:
        if not begun:
            raise intake.refuse(f"it is no readable XML: {e}") from None  # noqa: EM102
        intake.note("note_cut_off")
        if any(element.tag in wanted for element in around):
            intake.skip("cut_off")
