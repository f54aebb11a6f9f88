"""The session for asyncio: the same, awaitable, on any event loop and without a thread of its own.

>>> import asyncio
>>> from mqttsession import aio
>>> async def main():
...     async with aio.Session("mqtt://localhost") as session:
...         async with session.messages("sensors/#", qos=1) as messages:
...             await session.publish("sensors/kitchen", "21.5", qos=1)
...             async for message in messages:
...                 print(message.topic, message.payload)
...                 break
>>> asyncio.run(main())
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from . import _native
from ._native import PublishResult
from .error import MqttError, _error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, Unpack

    from ._native import (
        Connected,
        Event,
        Message,
        Statistics,
        SubscribeResult,
        UnsubscribeResult,
    )
    from .options import (
        Duration,
        Filters,
        Payload,
        Properties,
        QoS,
        Response,
        SessionOptions,
    )

__all__ = ["Messages", "Session"]

_T = TypeVar("_T")
_Published: TypeAlias = "PublishResult | Awaitable[PublishResult]"

# Short beside a wait that anybody would notice, long beside the time of a try.
_ROOM_PAUSE = 0.05


class Session:
    """A session with one MQTT broker, for one event loop.

    The arguments are those of :class:`mqttsession.Session`. ``async with`` connects; leaving it
    waits (at most ``connect_timeout``) until everything published has ended, disconnects and
    closes. A deadline for a call is ``asyncio.timeout()``; what the call waited for goes on then.

    A session belongs to the event loop in which it is used first. It is closed when its loop is.
    ``credentials`` and the callable of ``authentication`` may be coroutine functions.
    """

    def __init__(self, address: str = "localhost", **options: Unpack[SessionOptions]) -> None:
        """Make a session. Nothing is sent before it connects; what its store holds is read."""
        self._patience = _seconds(options.get("connect_timeout"))
        self._room_patience = _seconds(options.get("outgoing_wait"))
        self._questions: list[_Question] = []
        if (credentials := options.get("credentials")) is not None:
            options["credentials"] = self._question(credentials)
        if (authentication := options.get("authentication")) is not None:
            method, answer = authentication
            options["authentication"] = (method, self._question(answer))
        self._session = _native.Session(address, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bound: _native.AsyncSession | None = None
        self._on_event: Callable[[Event], object] | None = None
        self._handlers: dict[asyncio.Task[None], _native.Stream] = {}

    def _bind(self) -> _native.AsyncSession:
        loop = get_running_loop()
        if self._loop is not loop or self._bound is None:
            if self._loop is not None:
                raise RuntimeError("this session belongs to another event loop")
            self._loop, self._bound = loop, _native.AsyncSession(self._session, loop)
            for question in self._questions:
                question.event_loop = weakref.ref(loop)
            if type(self).publish_nowait is Session.publish_nowait:
                # From now on the native call itself: a Python frame costs more than publishing.
                self.publish_nowait = self._bound.publish_nowait  # type: ignore[method-assign]
        return self._bound

    def _question(self, callable: Callable[..., Any]) -> _Question:
        self._questions.append(_Question(callable, self._patience))
        return self._questions[-1]

    async def connect(self) -> Connected:
        """Connect and wait for the broker's answer; see :meth:`mqttsession.Session.connect`."""
        return await self._bind().connect()

    async def reauthenticate(self) -> None:
        """Authenticate anew; see :meth:`mqttsession.Session.reauthenticate`."""
        await self._bind().reauthenticate()

    async def disconnect(
        self,
        drain: Duration = 10,
        *,
        reason_code: int = 0,
        properties: Properties | None = None,
    ) -> int:
        """End the connection in good order; see :meth:`mqttsession.Session.disconnect`.

        Waits at most ``drain`` until everything published has ended; returns how many messages
        had not by then: they are cancelled, or kept by the store.
        """
        return await self._bind().disconnect(drain, reason_code, properties)

    async def close(self) -> None:
        """Close for good: iterators end, what is outstanding is cancelled.

        Returns when the last handler has returned; inside a handler it does not wait for that one.
        """
        for stream in self._handlers.values():
            stream.close()
        await self._bind().close()
        if others := self._handlers.keys() - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def publish(
        self,
        topic: str,
        payload: Payload = b"",
        qos: QoS = 0,
        retain: bool = False,
        *,
        properties: Properties | None = None,
        time_to_live: Duration | None = None,
    ) -> PublishResult:
        """Publish a message, wait until it has ended, and return how.

        At QoS 0 that is at once: nothing more than sending is promised, and :meth:`flush` waits
        for that. At QoS 1 and 2 it is when the broker has acknowledged it; a message that was not
        delivered raises the error that says why. It also waits while the outgoing queue is full
        and ``outgoing_policy`` is "block".
        """
        native = self._bound
        if native is None or self._loop is not get_running_loop():
            native = self._bind()
        tried = native.publish(topic, payload, qos, retain, properties, time_to_live)
        if tried is not None:
            return tried if isinstance(tried, PublishResult) else await tried
        arguments = (topic, payload, qos, retain, properties, time_to_live)
        answer: _Published = await self._in_room(native.publish, *arguments)
        return answer if isinstance(answer, PublishResult) else await answer

    async def publish_stored(
        self,
        topic: str,
        payload: Payload = b"",
        qos: QoS = 1,
        retain: bool = False,
        *,
        properties: Properties | None = None,
        time_to_live: Duration | None = None,
    ) -> int:
        """Publish a message, wait until it is in the session's store, and return its number.

        From then on it survives the process; its end is not waited for. Without a store it raises
        NotSupportedError, and publishes nothing.
        """
        publish = self._bind().publish_stored
        arguments = (topic, payload, qos, retain, properties, time_to_live)
        return await (await self._in_room(publish, *arguments))

    async def wait_stored(self, number: int) -> None:
        """Wait until a message is in the store; see :meth:`mqttsession.Session.wait_stored`."""
        await self._bind().wait_stored(number)

    def publish_nowait(
        self,
        topic: str,
        payload: Payload = b"",
        qos: QoS = 0,
        retain: bool = False,
        *,
        properties: Properties | None = None,
        time_to_live: Duration | None = None,
        on_complete: Callable[[PublishResult], object] | None = None,
    ) -> int:
        """Publish a message and return its number; raise CapacityError when the queue is full.

        ``on_complete(result)`` is called once when the message has ended, in the event loop; not
        when the loop is closed by then. An exception goes to the loop's exception handler.
        """
        publish = self._bind().publish_nowait
        return publish(
            topic,
            payload,
            qos,
            retain,
            properties=properties,
            time_to_live=time_to_live,
            on_complete=on_complete,
        )

    async def _in_room(self, call: Callable[..., _T | None], *arguments: Any) -> _T:
        """Repeat a call that publishes until the outgoing queue has room for it."""
        if (answer := call(*arguments)) is not None:
            return answer
        native = self._bind()
        try:
            async with asyncio.timeout(self._room_patience):
                while (answer := call(*arguments)) is None:
                    # When all of it has ended there is room for certain; with a broker that keeps
                    # up there is room before, so it is tried again after a while in any case.
                    await asyncio.wait([native.flush()], timeout=_ROOM_PAUSE)
                return answer
        except TimeoutError:
            message = "The outgoing queue has had no room for too long"
            raise _error("QUEUE_FULL", message) from None

    async def request(
        self,
        topic: str,
        payload: Payload = b"",
        timeout: Duration = 10,
        *,
        qos: QoS = 1,
        properties: Properties | None = None,
    ) -> Message:
        """Publish a request, and return its answer; see :meth:`mqttsession.Session.request`."""
        request = self._bind().request
        return await (await self._in_room(request, topic, payload, timeout, qos, properties))

    async def respond(
        self,
        filter: str,
        function: Callable[[Message], Response | Awaitable[Response]],
        qos: QoS = 1,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
    ) -> SubscribeResult | None:
        """Subscribe, and answer each message with what ``function(message)`` returns (MQTT 5.0).

        The function or coroutine function returns a payload, ``(payload, properties)``, or None for
        no answer, now or here: :meth:`reply` answers later. The answer has the QoS of its request.
        The rest is as with :meth:`subscribe`.
        """
        native = self._bind()
        native.check_requests()

        async def answer(request: Message) -> None:
            response = function(request)
            if inspect.isawaitable(response):
                response = await response
            if response is None or "response_topic" not in request.properties:
                return
            payload, added = response if isinstance(response, tuple) else (response, None)
            # The next request is answered without waiting for the end of that.
            await self._in_room(native.reply, request, payload, None, added)

        return await self.subscribe(
            filter,
            answer,
            qos,
            no_local=no_local,
            retain_as_published=retain_as_published,
            retain_handling=retain_handling,
            properties=properties,
        )

    async def reply(
        self,
        request: Message,
        payload: Payload = b"",
        *,
        qos: QoS | None = None,
        properties: Properties | None = None,
    ) -> PublishResult:
        """Publish the answer to a request, wait until it has ended, and return how (MQTT 5.0).

        It goes to the request's response topic, with its correlation data, and with its QoS where
        ``qos`` is None.
        """
        reply = self._bind().reply
        answer: _Published = await self._in_room(reply, request, payload, qos, properties)
        return answer if isinstance(answer, PublishResult) else await answer

    async def flush(self) -> None:
        """Wait until every message published so far has ended."""
        await self._bind().flush()

    async def subscribe(
        self,
        filter: str,
        handler: Callable[[Message], object],
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
    ) -> SubscribeResult | None:
        """Subscribe with a handler, and return what the broker granted; a refusal raises.

        The handler is a function or a coroutine function. It is called in the event loop, with one
        message after the other; a message is acknowledged when its call has returned. An exception
        goes to the loop's exception handler, and the option ``on_failure`` says what becomes of the
        message. Before :meth:`connect` the subscription is noted and None is returned.
        """
        native = self._bind()
        stream = native.stream()
        resting = self.state == "disconnected"
        granted = native.subscribe(
            filter, stream, qos, no_local, retain_as_published, retain_handling, properties
        )
        self._serve(stream, handler)
        return await _unless(resting, granted)

    async def subscribe_many(
        self,
        filters: Filters,
        handler: Callable[[Message], object],
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
    ) -> list[SubscribeResult] | None:
        """Subscribe several filters with one packet and one handler; a result for each, in order.

        See :meth:`mqttsession.Session.subscribe_many` for ``filters`` and results, and
        :meth:`subscribe` for the handler.
        """
        native = self._bind()
        stream = native.stream()
        resting = self.state == "disconnected"
        granted = native.subscribe_many(
            filters, stream, qos, no_local, retain_as_published, retain_handling, properties
        )
        self._serve(stream, handler)
        return await _unless(resting, granted)

    def _serve(self, stream: _native.Stream, handler: Callable[[Message], object]) -> None:
        task = asyncio.create_task(self._handle(stream, handler))
        self._handlers[task] = stream
        task.add_done_callback(self._handlers.pop)

    async def _handle(self, stream: _native.Stream, handler: Callable[[Message], object]) -> None:
        while True:
            try:
                waiting = stream.serve(handler)
                if waiting is None:
                    return
                await waiting
            except Exception as error:
                topic = stream.fail()
                get_running_loop().call_exception_handler(
                    {"message": f"the handler of {topic!r} raised", "exception": error}
                )

    def messages(
        self,
        filter: str,
        qos: QoS = 0,
        *,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: Literal[0, 1, 2] = 0,
        properties: Properties | None = None,
    ) -> Messages:
        """Return an asynchronous iterator over the messages that a filter matches.

        It subscribes when it is entered with ``async with``, or when the first message is asked
        for. A message is acknowledged when the next one is asked for, or when the iterator is
        closed; a consumer that does not ask makes the session read no further, up to the option
        ``incoming_limit``. The iterator ends when the filter is unsubscribed or subscribed anew,
        and when the session is closed.
        """
        options = (qos, no_local, retain_as_published, retain_handling, properties)
        return Messages(self._bind(), filter, options)

    async def unsubscribe(
        self, filter: str, *, properties: Properties | None = None
    ) -> UnsubscribeResult:
        """End a subscription; a refusal raises.

        Its iterator or handler ends after what it has received.
        """
        return await self._bind().unsubscribe(filter, properties)

    async def unsubscribe_many(
        self, filters: Iterable[str], *, properties: Properties | None = None
    ) -> list[UnsubscribeResult]:
        """End several subscriptions with one packet; a result for each, in order."""
        return await self._bind().unsubscribe_many(filters, properties)

    async def unsubscribe_all(self) -> None:
        """End every subscription; a refusal raises."""
        await self._bind().unsubscribe_all()

    @property
    def state(
        self,
    ) -> Literal["disconnected", "connecting", "connected", "retrying", "closed"]:
        """What the session is doing."""
        return self._session.state

    @property
    def last_error(self) -> MqttError | None:
        """The last failure of the connection, readable while the session still tries."""
        return self._session.last_error

    @property
    def connection(self) -> Connected | None:
        """What the broker said when it accepted the present connection, or the last one."""
        return self._session.connection

    @property
    def statistics(self) -> Statistics:
        """Counters and levels, as they are now."""
        return self._session.statistics

    @property
    def on_event(self) -> Callable[[Event], object] | None:
        """Called with each event, in the event loop; None for nobody."""
        return self._on_event

    @on_event.setter
    def on_event(self, handler: Callable[[Event], object] | None) -> None:
        self._bind()
        self._on_event = handler
        loop = get_running_loop()
        # The session must not keep itself alive: what is forwarded to is the handler alone.
        self._session.on_event = handler and (
            lambda event: None if loop.is_closed() else loop.call_soon_threadsafe(handler, event)
        )

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait until everything published has ended, disconnect and close.

        What has not ended within ``connect_timeout`` is cancelled, and said so by a CallerError,
        unless the store keeps it. After an exception in the block it does not wait.
        """
        cancelled = 0
        try:
            if self.state != "closed":
                cancelled = await self.disconnect(self._patience if kind is None else 0)
        except Exception:
            # An exception of the block is worth more than one about leaving it.
            if kind is None:
                raise
        finally:
            await self.close()
        # What the store keeps is not lost: a later session sends it.
        cancelled -= self.statistics.left_in_store
        if cancelled > 0 and kind is None:
            raise _error(
                "CANCELLED", f"The session was left before {cancelled} of its messages had ended"
            )


class Messages(_native.MessageIterator):
    """An asynchronous iterator over the messages of a subscription.

    Get one from :meth:`Session.messages`.
    """

    def __init__(
        self,
        native: _native.AsyncSession,
        filter: str,
        options: tuple[QoS, bool, bool, int, Properties | None],
    ) -> None:
        """Not to be called: see :meth:`Session.messages`."""
        self._native = native
        self._filter = filter
        self._options = options
        self.granted: SubscribeResult | None = None
        """What the broker granted, once it has."""

    async def _subscribe(self) -> None:
        stream = self._native.stream()
        self._begin(stream)
        try:
            self.granted = await self._native.subscribe(self._filter, stream, *self._options)
        except MqttError:
            # Nothing is subscribed, so there is nothing to tell the broker.
            stream.close()
            raise
        except BaseException:
            await self.aclose()
            raise

    async def _first(self) -> Message:
        """Subscribe, and return the first message."""
        if self._stream is None:
            await self._subscribe()
        return await anext(self)

    async def __aenter__(self) -> Self:
        """Subscribe."""
        if self._stream is None:
            await self._subscribe()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unsubscribe."""
        await self.aclose()

    async def aclose(self) -> None:
        """Unsubscribe, unless that has happened in another way."""
        if self._stream is not None and self._stream.close():
            await self._native.unsubscribe(self._filter, None)


class _Question:
    """What a thread of the library asks. A coroutine function answers it in the event loop."""

    def __init__(self, callable: Callable[..., Any], patience: float) -> None:
        self._callable = callable
        self._patience = patience
        self.event_loop: Callable[[], asyncio.AbstractEventLoop | None] = lambda: None

    def __call__(self, *arguments: Any) -> Any:
        answer = self._callable(*arguments)
        if not inspect.iscoroutine(answer):
            return answer
        event_loop = self.event_loop()
        if event_loop is None:
            answer.close()
            raise RuntimeError("the event loop is gone")
        future = asyncio.run_coroutine_threadsafe(answer, event_loop)
        try:
            # The attempt to connect has failed by then, and nobody wants the answer any more.
            return future.result(self._patience)
        finally:
            future.cancel()


async def _unless(resting: bool, future: asyncio.Future[_T]) -> _T | None:
    """Wait for an answer of the broker, unless nobody has told the session to connect."""
    if resting:
        future.add_done_callback(_seen)
        return None
    return await future


def _seconds(duration: Duration | None) -> float:
    # Both options that this is used for have the same default.
    if duration is None:
        return 10.0
    return duration if isinstance(duration, (int, float)) else duration.total_seconds()


def _seen(future: asyncio.Future[Any]) -> None:
    """Take note of a result, so that asyncio does not complain that nobody has."""
    if not future.cancelled():
        future.exception()
