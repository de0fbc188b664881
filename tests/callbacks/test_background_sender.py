"""A queue that never makes anybody wait and never fails anybody."""

from __future__ import annotations

import threading
import time

import pytest

from callbacks.background_sender import GIVE_UP_AFTER, BackgroundSender


@pytest.fixture
def told():
    return []


def test_jobs_are_done_in_order_elsewhere(told):
    done = []
    sender = BackgroundSender({"rows": 100}, told.append, lambda: done.append("ready"))
    for number in range(50):
        assert sender.submit("rows", lambda number=number: done.append((number, threading.current_thread())))
    assert sender.stop(5)
    assert done[0] == "ready"
    assert [number for number, _ in done[1:]] == list(range(50))
    assert {thread for _, thread in done[1:]} & {threading.main_thread()} == set()
    assert not told
    assert not sender.submit("rows", done.clear)


def test_a_full_queue_drops_and_says_so_once(told):
    gate, started = threading.Event(), threading.Event()
    sender = BackgroundSender({"rows": 2, "films": 1}, told.append, name="W")
    sender.submit("rows", lambda: (started.set(), gate.wait(5)))
    assert started.wait(5)
    taken = [sender.submit("rows", int) for _ in range(4)]
    assert taken == [True, False, False, False]  # the one at work counts
    assert sender.submit("films", int)
    assert told == ["W is slower than what is sent to it: some rows are left out"]
    gate.set()
    assert not sender.stop(5)
    assert sender.lost == {"rows": 3}


def test_what_fails_is_told_by_the_caller_and_the_next_is_tried(told):
    done = []
    sender = BackgroundSender({"rows": 9}, lambda line: told.append((line, threading.current_thread())), name="W")
    sender.submit("rows", lambda: 1 / 0)
    sender.submit("rows", lambda: done.append(1))
    assert not sender.stop(5)
    assert done == [1]
    assert told == [("W failed with rows (ZeroDivisionError: division by zero)", threading.main_thread())]


def test_it_gives_up_after_many_failures_in_a_row(told):
    tries = []
    sender = BackgroundSender({"rows": 99}, told.append, name="W")
    for _ in range(GIVE_UP_AFTER + 20):
        sender.submit("rows", lambda: tries.append(1) or 1 / 0)
    sender.stop(5)
    assert len(tries) == GIVE_UP_AFTER
    assert told[-1] == "W failed 10 times in a row: nothing more is sent there; training and its CSV log go on"
    assert sender.lost["rows"] == GIVE_UP_AFTER + 20


def test_it_gives_up_when_it_cannot_be_started(told):
    sender = BackgroundSender({"rows": 9}, told.append, lambda: (_ for _ in ()).throw(OSError("no space")), "W")
    sender.submit("rows", int)
    sender.stop(5)
    assert told == [
        "W cannot be started (OSError: no space): nothing more is sent there; training and its CSV log go on"
    ]
    assert not sender.is_alive


def test_a_hanging_job_is_left_behind(told):
    gate = threading.Event()
    sender = BackgroundSender({"rows": 9}, told.append, name="W")
    sender.submit("rows", gate.wait)
    sender.submit("rows", int)
    begun = time.monotonic()
    assert not sender.stop(0.2)
    assert 0.2 <= time.monotonic() - begun < 5
    assert told == ["W did not answer for 0.2 s: 1 jobs are left out"]
    gate.set()


def test_handing_over_takes_no_time_while_the_other_side_sleeps(told):
    sender = BackgroundSender({"rows": 5000}, told.append, lambda: time.sleep(0.5))
    taken = []
    for _ in range(1000):
        begun = time.perf_counter()
        sender.submit("rows", int)
        taken.append(time.perf_counter() - begun)
    assert sorted(taken)[500] < 1e-3  # the median, as other processes may take the processor; measured: 4 microseconds
    assert sender.drain(20)
    sender.stop(5)


def test_remarks_of_jobs_are_told(told):
    sender = BackgroundSender({"rows": 9}, told.append)
    sender.submit("rows", lambda: sender.remark("by the way"))
    assert sender.stop(5)
    assert told == ["by the way"]
