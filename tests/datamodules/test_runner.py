from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial

import pytest
from odd_jobs import make_odd_jobs, make_unmakeable, refuse_to_be_made

from datamodules.prepare.runner import duration, run_items
from lightning_modules.errors import BackendError, ConfigError, OutputError


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_outcomes_come_in_the_order_of_the_items(workers):
    items = [("square", 9), ("slow square", 8), ("square", 7), ("square", 6), ("slow square", 5)]
    run = run_items(items, make_odd_jobs, workers=workers)
    assert [outcome.result for outcome in run.outcomes] == [81, 64, 49, 36, 25]
    assert [outcome.index for outcome in run.outcomes] == [0, 1, 2, 3, 4]
    assert not run.interrupted
    assert run.outcomes[1].seconds >= 0.1 > run.outcomes[0].seconds


def test_work_is_really_shared_by_other_processes():
    run = run_items([("who", 0.2)] * 4, make_odd_jobs, workers=2)
    processes = {outcome.result for outcome in run.outcomes}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_workers_hold_their_libraries_to_one_thread():
    (outcome,) = run_items([("threads", 0)], make_odd_jobs, workers=1).outcomes
    assert outcome.result == ("1", 1)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failing_item_is_rejected_with_its_reason_and_the_rest_goes_on(workers):
    items = [("square", 2), ("typed", "cat.jpg"), ("bug", 0), ("square", 3)]
    run = run_items(items, make_odd_jobs, workers=workers)
    assert [outcome.result for outcome in run.outcomes] == [4, None, None, 9]
    assert run.outcomes[1].reason == "cat.jpg: shows a cat; show a face"
    assert run.outcomes[2].reason is not None
    assert run.outcomes[2].reason.startswith("unexpected ZeroDivisionError in odd_job, odd_jobs.py:")
    assert "\n" not in run.outcomes[2].reason
    assert run.outcomes[0].reason is None


@pytest.mark.parametrize(
    ("death", "words"), [("kill", "was ended by SIGKILL"), ("crash", "was ended by SIGSEGV"), ("exit", "exit code 3")]
)
def test_a_dead_process_costs_its_item_only(death, words, capfd):
    items = [("square", 2), (death, 0), ("square", 3), ("square", 4)]
    run = run_items(items, make_odd_jobs, workers=1)
    assert [outcome.result for outcome in run.outcomes] == [4, None, 9, 16]
    assert words in (run.outcomes[1].reason or "")


def test_a_hung_process_is_ended_and_the_rest_goes_on():
    begin = time.monotonic()
    run = run_items([("sleep", 60), ("square", 3)], make_odd_jobs, workers=1, patience=0.5)
    assert [outcome.result for outcome in run.outcomes] == [None, 9]
    assert "still not done after" in (run.outcomes[0].reason or "")
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("workers", [0, 2])
def test_what_no_item_escapes_ends_the_run_as_its_own_kind_of_error(workers):
    with pytest.raises(OutputError, match=r"^/full: is full; empty it$"):
        run_items([("full disk", 0), ("square", 3)], make_odd_jobs, workers=workers)
    with pytest.raises(OutputError, match=r"^/full/x: cannot be written \(No space left on device\); free"):
        run_items([("no space", "/full/x"), ("square", 3)], make_odd_jobs, workers=workers)
    with pytest.raises(BackendError, match=r"^the model is missing; get it$"):
        run_items([("square", 3)], refuse_to_be_made, workers=workers)


def test_a_work_function_that_cannot_be_made_is_a_bug_and_shown_as_one():
    with pytest.raises(RuntimeError, match="KeyError: 'forgotten'"):
        run_items([("square", 3)], make_unmakeable, workers=1)


def test_a_process_that_dies_while_it_starts_ends_the_run():
    with pytest.raises(BackendError, match="a worker process ended with exit code 7 before its first item"):
        run_items([("square", 3)], partial(os._exit, 7), workers=1)


def test_existing_results_are_kept_without_work():
    run = run_items(
        [("square", 2), ("bug", 0), ("square", 3)],
        make_odd_jobs,
        workers=0,
        existing=lambda item: 77 if item[0] == "bug" else None,
    )
    assert [(outcome.result, outcome.kept) for outcome in run.outcomes] == [(4, False), (77, True), (9, False)]


def test_nothing_is_started_when_nothing_is_to_do():
    assert run_items([], partial(os._exit, 7), workers=2).outcomes == ()
    run = run_items([1, 2], partial(os._exit, 7), workers=2, existing=lambda item: item)
    assert [outcome.result for outcome in run.outcomes] == [1, 2]


@pytest.mark.parametrize("workers", [0, 1])
def test_progress_counts_every_item_and_tells_the_time_left(workers):
    told = []
    items = [("square", 1), ("slow square", 2), ("slow square", 3)]
    run_items(
        items,
        make_odd_jobs,
        workers=workers,
        existing=lambda item: 1 if item == ("square", 1) else None,
        name=lambda item: f"job {item[1]}",
        progress=lambda done, total, note: told.append((done, total, note)),
    )
    assert [(done, total) for done, total, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[0][2] == "done by an earlier run"
    assert told[1][2].startswith("job 2 · ")
    assert " s each · " in told[1][2]
    assert told[2][2].endswith(" · 0 s left")


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_stops_soon_and_keeps_what_is_done(workers):
    items = [("square", 2)] * 3 + [("slow square", 3)] * 200

    def interrupt_at_third(done, total, note):
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    begin = time.monotonic()
    run = run_items(items, make_odd_jobs, workers=workers, progress=interrupt_at_third)
    assert run.interrupted
    assert 2 <= len(run.outcomes) <= 5
    assert time.monotonic() - begin < 15
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_process_is_left_behind():
    from multiprocessing import active_children

    before = set(active_children())  # loaders of other tests keep their workers until they are collected
    run_items([("square", 2)] * 3, make_odd_jobs, workers=2)
    assert set(active_children()) - before == set()


def test_works_outside_of_the_main_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(run_items([("square", 5)], make_odd_jobs, workers=1)))
    thread.start()
    thread.join()
    assert results[0].outcomes[0].result == 25


def test_a_negative_number_of_workers_is_refused():
    with pytest.raises(ConfigError, match="-1 workers"):
        run_items([], make_odd_jobs, workers=-1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (150.2, "2 min 30 s"), (7500, "2 h 05 min")]
)
def test_durations_read_like_durations(seconds, text):
    assert duration(seconds) == text
