"""The receive buffer against a model of it: plain bytes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from httpio._buffer import ReceiveBuffer
from tests.support.buffers import content_of

CAPACITY = 20 * 1024

steps = st.lists(
    st.tuples(
        st.sampled_from(["receive", "receive", "consume", "take", "take_into", "peek"]),
        st.integers(0, 30) | st.integers(0, CAPACITY),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(steps)
def test_the_buffer_is_a_queue_of_bytes(steps: list[tuple[str, int]]) -> None:
    buffer = ReceiveBuffer(CAPACITY)
    model = b""
    sent = 0
    for step, size in steps:
        if step == "receive":
            if len(model) == CAPACITY:
                continue  # the limits of those who use it do not let that happen
            room = buffer.writable()
            # What is not worth a system call is made worth one.
            assert len(room) == CAPACITY - len(model) or len(room) >= 16 * 1024
            data = bytes((sent + index) % 251 for index in range(min(size, len(room))))
            room[: len(data)] = data
            buffer.received(len(data))
            model += data
            sent += len(data)
        elif step == "consume":
            size = min(size, len(model))
            buffer.consume(size)
            model = model[size:]
        elif step == "take":
            assert buffer.take(size) == model[:size]
            model = model[size:]
        elif step == "take_into":
            target = bytearray(size)
            taken = buffer.take_into(memoryview(target))
            assert target[:taken] == model[:size]
            model = model[taken:]
        else:
            assert buffer.peek(size) == model[:size]
        assert content_of(buffer) == model
        assert len(buffer) == len(model)
        assert len(buffer.data) == CAPACITY
