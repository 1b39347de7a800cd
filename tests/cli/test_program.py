"""The program as a whole: help, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading

import click
import pytest

from napari_her2 import __version__
from napari_her2.cli import app
from napari_her2.cli.options import read_mpp, read_roi
from napari_her2.cli.output import clean_stdout, emit, plain
from napari_her2.cli.signals import cancel_on_interrupt
from napari_her2.errors import NotASlideError, UnknownMppError
from napari_her2.geometry import Region
from napari_her2.messages import NOTICE

CONTRACT = ("demo", "doctor", "info", "models", "open", "predict", "selfcheck", "synth", "tissue")
SUBCOMMANDS = ("add", "list", "remove", "show", "trust", "verify")


def test_the_contract_s_commands_are_there():
    context = click.Context(app.cli)
    assert set(CONTRACT) <= set(app.cli.list_commands(context))
    models = app.cli.get_command(context, "models")
    assert isinstance(models, click.Group)
    assert set(SUBCOMMANDS) <= set(models.list_commands(context))


@pytest.mark.parametrize(
    "words",
    [(), *((c,) for c in CONTRACT), *(("models", s) for s in SUBCOMMANDS)],
    ids=" ".join,
)
def test_every_help_has_an_example(words, run_here):
    answer = run_here(*words, "--help")
    assert answer.code == 0
    assert "Example: napari-her2 " in " ".join(answer.out.split())
    assert answer.err == ""


def test_version(run_here):
    assert run_here("--version").out.strip().endswith(__version__)


@pytest.mark.parametrize(
    "args",
    [("no-such-command",), ("info",), ("predict", "a.svs"), ("info", "a.svs", "--mpp", "big"),
     ("predict", "a.svs", "--out", "o", "--roi", "1,2,3"), ("synth", "cat", "--out", "o.tif"),
     ("predict", "a.svs", "--out", "o", "--threshold", "7")],
)  # fmt: skip
def test_wrong_usage_exits_with_two(args, run_here):
    answer = run_here(*args)
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err


class _Fails(click.Command):
    def __init__(self, error):
        super().__init__("fails")
        self.error = error

    def invoke(self, ctx):
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotASlideError("not_slide", name="a.svs", reason="no TIFF"), 3),
     (UnknownMppError("no_mpp_cli", name="a.svs"), 4), (KeyboardInterrupt(), 130),
     (click.Abort(), 130)],
)  # fmt: skip
def test_errors_become_a_sentence_and_an_exit_code(error, code, run_here, monkeypatch):
    monkeypatch.setattr(app.cli, "get_command", lambda ctx, name: _Fails(error))
    answer = run_here("info")
    assert answer.code == code
    assert answer.out == ""
    assert answer.is_one_sentence()


def test_a_programming_error_keeps_its_traceback(run_here, monkeypatch):
    monkeypatch.setattr(app.cli, "get_command", lambda ctx, name: _Fails(ZeroDivisionError("x")))
    with pytest.raises(ZeroDivisionError):
        run_here("info")


def test_json_is_one_document_and_the_notice_is_on_stderr(capfd):
    with clean_stdout():
        sys.stdout.write("a library says hello\n")
        os.write(1, b"a C library too\n")
        subprocess.run([sys.executable, "-c", "print('and a child')"], check=True)
    emit({"x": float("nan"), "p": 0.5, "name": "ä"}, ["for people"], as_json=True)
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert document == {"x": None, "p": 0.5, "name": "ä", "notice": NOTICE}
    for said in ("a library says hello", "a C library too", "and a child", NOTICE):
        assert said in err


def test_without_json_people_read_lines(capfd):
    emit({"x": 1}, ["for people"], as_json=False)
    out, err = capfd.readouterr()
    assert out == "for people\n"
    assert err.strip() == NOTICE


def test_plain_turns_arrays_and_paths_into_json(tmp_path):
    import numpy as np

    value = plain({"a": np.float32(0.5), "b": np.arange(2), "c": tmp_path, 3: (np.nan,)})
    assert json.loads(json.dumps(value)) == {"a": 0.5, "b": [0, 1], "c": str(tmp_path), "3": [None]}


def test_options_read_numbers():
    assert read_mpp("0.23") == 0.23
    assert read_mpp("0.23,0.25") == (0.23, 0.25)
    assert read_roi("1,2,30,40") == Region(1, 2, 30, 40)
    for wrong in ("1,2,3", "a,b,c,d", "0,0,0,5"):
        with pytest.raises(click.BadParameter, match="level-0 pixels"):
            read_roi(wrong)


def test_third_party_logs_stay_quiet_unless_asked_for(run_here, capfd, monkeypatch):
    class Chatty(click.Command):
        def invoke(self, ctx):
            logging.getLogger("tifffile").error("tag 33445 is odd")
            logging.getLogger("napari_her2").warning("of ours")

    monkeypatch.setattr(app.cli, "get_command", lambda ctx, name: Chatty("info"))
    quiet = run_here("info")
    assert "tag 33445" not in quiet.err
    assert "WARNING: of ours" in quiet.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
class TestCtrlC:
    def test_the_first_asks_the_second_insists(self, capfd):
        before = signal.getsignal(signal.SIGINT)
        with cancel_on_interrupt() as token:
            assert not token.is_set()
            signal.raise_signal(signal.SIGINT)
            assert token.is_set()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is before
        assert "Stopping after this batch" in capfd.readouterr().err

    def test_outside_the_main_thread_no_signal_is_touched(self):
        seen = []

        def body():
            with cancel_on_interrupt() as token:
                seen.append(token.is_set())

        thread = threading.Thread(target=body)
        thread.start()
        thread.join(5)
        assert seen == [False]
