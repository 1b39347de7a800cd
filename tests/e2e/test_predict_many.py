"""Several slides: one after the other, in processes, by dask; equal bytes, no port, no mixing."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import psutil
import pytest
from made_runs import install_model, serve_poisoned, write_slide

from napari_her2.errors import SchedulerError, TileReadError
from napari_her2.pipelines import processes
from napari_her2.pipelines.events import Outcome, Partial, Progress
from napari_her2.pipelines.executors import predict_many
from napari_her2.pipelines.request import PredictRequest
from napari_her2.results.atomic import list_files
from napari_her2.results.store import find_runs
from napari_her2.settings import get_settings


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    for i in range(2):
        write_slide(folder / f"s{i}.tif", width=2048, height=1536, seed=i)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    data = tmp_path_factory.mktemp("models")
    return data, (install_model(data, "ER"), install_model(data, "PR"))


@pytest.fixture
def models(installed):
    data, ids = installed
    shutil.copytree(data / "models", get_settings().data_dir / "models")
    return ids


@pytest.fixture
def requests_for(made, models, tmp_path):
    def make(out: str, *names: str) -> list[PredictRequest]:
        slides = []
        for i, name in enumerate(names):
            path = tmp_path / name
            if not path.exists():
                shutil.copyfile(made / f"s{i % 2}.tif", path)
            slides.append(path)
        return [PredictRequest(s, models, out=tmp_path / out) for s in slides]

    return make


def outcomes(events) -> dict[str, Outcome]:
    found = [e for e in events if isinstance(e, Outcome)]
    by_name = {Path(o.document["slide"]).name: o for o in found}
    assert len(by_name) == len(found)
    return by_name


def science(out: Path) -> dict[tuple[str, str], str]:
    """SHA-256 of each file whose bytes follow from the scores, by slide and name."""
    return {
        (run.folder.parent.name, r.path): r.sha256
        for run in find_runs(out)
        for r in list_files(run.folder)
        if r.path.startswith(("heatmaps/", "tiles", "tissue"))
    }


def test_processes_give_the_bytes_of_one_process_and_open_no_port(requests_for, tmp_path):
    serial = outcomes(predict_many(requests_for("serial", "a.tif", "b.tif", "c.tif")))
    assert {o.status for o in serial.values()} == {"completed"}
    listening = []
    events = []
    me = psutil.Process()
    for event in predict_many(requests_for("processes", "a.tif", "b.tif", "c.tif"), workers=2):
        events.append(event)
        if isinstance(event, Partial) and len(listening) < 3:
            family = [me, *me.children(recursive=True)]
            assert len(family) > 1
            ports = [c for p in family for c in p.net_connections() if c.status == "LISTEN"]
            listening.append(ports)
    assert listening
    assert not any(listening)
    parallel = outcomes(events)
    assert {o.status for o in parallel.values()} == {"completed"}
    for name, outcome in parallel.items():
        mine = [r["probability"] for r in outcome.document["results"]]
        assert mine == [r["probability"] for r in serial[name].document["results"]]
    assert science(tmp_path / "processes") == science(tmp_path / "serial")
    assert len(science(tmp_path / "serial")) >= 3 * 10
    assert not [c for c in me.children() if "her2" in c.name()]


def test_a_slide_that_kills_workers_is_one_record(requests_for, monkeypatch):
    monkeypatch.setattr(processes, "serve", serve_poisoned)
    requests = requests_for("out", "poison.tif", "good.tif", "stumble.tif")
    events = list(predict_many(requests, workers=2))
    found = outcomes(events)
    assert found["good.tif"].status == "completed"
    assert found["stumble.tif"].status == "completed"
    assert found["poison.tif"].status == "failed"
    assert isinstance(found["poison.tif"].error, TileReadError)
    assert "twice" in found["poison.tif"].document["error"]
    told = [e.message for e in events if isinstance(e, Progress) and e.message]
    assert len([m for m in told if "A worker stopped" in m]) == 2


def test_a_broken_slide_leaves_the_others(requests_for, tmp_path):
    (tmp_path / "broken.svs").write_bytes(b"II*\0" + b"\xff" * 500)
    good, _ = requests_for("out", "a.tif", "b.tif")
    bad = PredictRequest(tmp_path / "broken.svs", good.model_ids, out=good.out)
    found = outcomes(predict_many([bad, good]))
    assert found["broken.svs"].status == "failed"
    assert found["a.tif"].status == "completed"


def test_a_fault_in_the_program_is_a_record_with_a_digest(requests_for, monkeypatch, caplog):
    from napari_her2.pipelines.predict import predict as real

    def faulty(request, *args, **options):
        if request.slide.name == "a.tif":
            raise ZeroDivisionError("secret detail")
        return real(request, *args, **options)

    monkeypatch.setattr("napari_her2.pipelines.predict.predict", faulty)
    found = outcomes(predict_many(requests_for("out", "a.tif", "b.tif")))
    assert found["b.tif"].status == "completed"
    sentence = found["a.tif"].document["error"]
    assert "ZeroDivisionError" in sentence
    assert "secret" not in sentence
    assert found["a.tif"].error.slots["digest"] in caplog.text


def test_cancelling_processes_keeps_tiles_and_ends_workers(requests_for, tmp_path):
    cancel = threading.Event()
    events = []
    for event in predict_many(requests_for("out", "a.tif", "b.tif"), workers=1, cancel=cancel):
        events.append(event)
        if isinstance(event, Partial):
            cancel.set()
    found = outcomes(events)
    assert {o.status for o in found.values()} == {"cancelled"}
    assert find_runs(tmp_path / "out")[0].resumable
    again = outcomes(predict_many(requests_for("out", "a.tif", "b.tif"), workers=1))
    assert {o.status for o in again.values()} == {"completed"}


def test_closing_the_generator_ends_the_workers(requests_for):
    stream = predict_many(requests_for("out", "a.tif"), workers=1)
    for event in stream:
        if isinstance(event, Partial):
            break
    children = psutil.Process().children(recursive=True)
    stream.close()
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert gone
    assert not [p for p in alive if p.name() == "her2-worker"]


@pytest.fixture
def tls_cluster(tmp_path):
    import dask
    import distributed

    security = distributed.security.Security.temporary()
    files = {}
    for name in ("ca_file", "client_cert", "client_key"):
        path = tmp_path / f"{name}.pem"
        path.write_text(getattr(security, f"tls_{name}"))
        files[name] = str(path)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, protocol="tls://", host="127.0.0.1",
        dashboard_address="127.0.0.1:0", security=security,
        worker_dashboard_address="127.0.0.1:0",
    )  # fmt: skip
    settings = {
        "distributed.comm.tls.ca-file": files["ca_file"],
        "distributed.comm.tls.client.cert": files["client_cert"],
        "distributed.comm.tls.client.key": files["client_key"],
    }
    with cluster, dask.config.set(settings):
        yield cluster


@pytest.mark.slow
def test_dask_gives_the_bytes_of_one_process_over_tls(requests_for, tmp_path, tls_cluster):
    names = ("a.tif", "b.tif")
    outcomes(predict_many(requests_for("serial", *names)))
    address = tls_cluster.scheduler_address
    assert address.startswith("tls://127.0.0.1")
    keys = set()
    events = []
    for event in predict_many(requests_for("dask", *names), scheduler=address):
        events.append(event)
        keys |= {str(k) for k in tls_cluster.scheduler.tasks}
    found = outcomes(events)
    assert {o.status for o in found.values()} == {"completed"}
    assert science(tmp_path / "dask") == science(tmp_path / "serial")
    assert len(keys) == 2
    assert not [k for k in keys if "tif" in k or "predict" in k or str(tmp_path) in k]
    # The same again, as after a lost answer: found, not made twice.
    again = outcomes(predict_many(requests_for("dask", *names), scheduler=address))
    assert all(o.document["cached"] for o in again.values())
    assert len(find_runs(tmp_path / "dask")) == 2


def test_a_plain_scheduler_needs_a_yes(requests_for):
    with pytest.raises(SchedulerError, match="not protected"):
        list(predict_many(requests_for("out", "a.tif"), scheduler="tcp://127.0.0.1:9"))


def test_an_absent_scheduler_is_a_sentence(requests_for, monkeypatch):
    from napari_her2.pipelines import dask_executor

    monkeypatch.setattr(dask_executor, "_CONNECT_SECONDS", 0.5)
    requests = requests_for("out", "a.tif")
    with pytest.raises(SchedulerError, match="does not answer"):
        list(predict_many(requests, scheduler="tcp://127.0.0.1:9", insecure=True))
