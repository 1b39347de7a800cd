"""Whatever is done, in whatever order, with crashes and failing disks between: nothing is lost."""

from __future__ import annotations

import errno
import os
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from made_annotations import NAMES, square

from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add, reclass, remove, replace

ACTIONS = st.sampled_from(
    ["add", "add", "remove", "reclass", "split", "undo", "undo", "redo", "snapshot", "crash",
     "close", "bad disk", "discard"]
)  # fmt: skip


def fails(_fd):
    raise OSError(errno.ENOSPC, "full")


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(ACTIONS, st.integers(0, 99)), max_size=22))
def test_every_state_is_found_again_and_every_step_can_be_taken_back(steps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("random") / "S"

    def opened():
        book = open_book("S", (1000, 800), 0.5, folder, author="R1")
        assert book.read_only is None
        assert book.state == "saved"
        assert book.notes == []
        return book

    book = opened()
    done, undone, last_snapshot, since = [()], [], (), 0
    for action, n in steps:
        store = book.store
        one = store.all()[n % len(store)] if len(store) else None
        edit = None
        if action == "undo":
            if book.undo() is not None:
                undone.append(done.pop())
                since += 1
        elif action == "redo":
            if book.redo() is not None:
                done.append(undone.pop())
                since += 1
        elif action == "snapshot":
            book.snapshot()
        elif action == "crash":
            book._ledger._let_go()
            book._ledger._claim.release()
            book = opened()
            assert (book.recovered.n if book.recovered else 0) == since
        elif action == "discard":
            if book.recovered is not None:
                before = book.store.all()
                book.recovered.discard()
                assert set(book.store) == set(last_snapshot)
                if book.store.all() != before:
                    done.append(book.store.all())
                    undone.clear()
                    since += 1
        elif action == "close":
            book.close()
            book = opened()
            assert book.recovered is None
        elif action in {"add", "bad disk"} or one is None:
            edit = add([square(20.0 * n, NAMES[n % 4])])
        elif action == "remove":
            edit = remove([one])
        elif action == "reclass":
            edit = reclass([one], NAMES[n % 4])
        elif action == "split":
            edit = replace(one, [square(n), square(n + 5.0)], "Split")
        if action == "bad disk":
            with mock.patch.object(os, "fsync", fails):
                book.apply(edit)
                assert book.state.startswith("failed")
            book.flush()
        elif edit is not None:
            book.apply(edit)
        if edit:
            done.append(book.store.all())
            undone.clear()
            since += 1
        if action in {"snapshot", "close"}:
            last_snapshot, since = book.store.all(), 0
        assert book.store.all() == done[-1]
    book.close()
    book = opened()
    assert book.store.all() == done[-1]
    assert all(r.follows for r in book.audit())
    for state in done[-2::-1]:
        book.undo()
        assert book.store.all() == state
    assert not book.store.can_undo
    book.close()
    assert not list(folder.glob(".tmp*"))
