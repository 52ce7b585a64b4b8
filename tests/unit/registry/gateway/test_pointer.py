"""The pointer follows the ledger as far as the server can, and keeps what answers when something fails."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

import pytest

from pipeline.errors import CorruptAdapter, DatabaseFailed, NotServing
from pipeline.types import Release
from registry.gateway.metrics import Metrics
from registry.gateway.pointer import Pointer
from registry.gateway.routing import Canary, Route
from registry.servers.server import Generation, Piece
from tests.unit.registry.gateway.test_routing import release


@dataclass
class Memory:
    """A server that only remembers what it was told; `bad` releases cannot be loaded."""

    bad: set[int] = field(default_factory=set)
    held: dict[int, Release] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    now: Release | None = None
    tries: int = 0
    alive: bool = True

    def hold(self, release: Release) -> None:
        self.tries += 1
        if release.number in self.bad:
            raise CorruptAdapter("/srv/secret/path is damaged. Fetch it again.")
        self.held[release.number] = release
        self.lost.discard(release.number)

    def activate(self, release: Release) -> None:
        self.hold(release)
        self.now = release

    def retire(self, number: int) -> None:
        assert self.now is None or self.now.number != number
        del self.held[number]

    def active(self) -> Release | None:
        return self.now

    def check(self) -> tuple[Release, ...]:
        return tuple(self.held[number] for number in self.lost & set(self.held))

    def loaded(self) -> tuple[Release, ...]:
        return tuple(self.held.values())

    async def generate(self, asked: Generation, release: int) -> Piece:
        raise NotImplementedError

    async def stream(self, asked: Generation, release: int) -> AsyncGenerator[Piece, None]:
        raise NotImplementedError
        yield

    def close(self) -> None:
        self.held.clear()


@dataclass
class Told:
    """What the ledger would say."""

    route: Route
    before: tuple[Release, ...] = ()
    down: bool = False

    def desired(self) -> Route:
        if self.down:
            raise DatabaseFailed("the ledger at postgres://secret is down.")
        return self.route

    def earlier(self) -> tuple[Release, ...]:
        return self.before


def deploy(told: Told, number: int, epoch: int) -> None:
    told.route = Route(epoch=epoch, production=release(number))


@pytest.fixture
def told() -> Told:
    return Told(Route(epoch=1, production=release(1)))


@pytest.fixture
def server() -> Memory:
    return Memory()


@pytest.fixture
def pointer(told: Told, server: Memory) -> Pointer:
    return Pointer(told, server, Metrics(), keep=2)


def test_nothing_answers_before_the_first_release_is_loaded(pointer: Pointer, server: Memory) -> None:
    with pytest.raises(NotServing, match="no release answers yet"):
        _ = pointer.route
    pointer.follow()
    assert pointer.route.production.number == 1
    assert server.now == release(1)


def test_a_new_deployment_is_loaded_then_answers_and_only_what_may_come_back_stays(
    pointer: Pointer, server: Memory, told: Told
) -> None:
    pointer.follow()
    for number in (2, 3, 4, 5):
        deploy(told, number, number)
        told.before = tuple(release(one) for one in range(number - 1, 0, -1))
        pointer.follow()
    assert pointer.route.epoch == 5
    assert sorted(server.held) == [3, 4, 5]


def test_a_release_that_fails_leaves_the_old_one_answering_and_says_so_without_paths(
    pointer: Pointer, server: Memory, told: Told
) -> None:
    pointer.follow()
    server.bad = {2}
    deploy(told, 2, 2)
    pointer.follow()
    assert pointer.route.production.number == 1
    assert pointer.problems == ("release 2 was not taken (CorruptAdapter): the log says why",)


def test_a_failed_swap_is_not_tried_at_every_look_but_a_new_deployment_is(
    pointer: Pointer, server: Memory, told: Told
) -> None:
    pointer.follow()
    server.bad = {2}
    deploy(told, 2, 2)
    tries = server.tries
    for _ in range(5):
        pointer.follow()
    assert server.tries == tries + 1
    deploy(told, 3, 3)
    pointer.follow()
    assert pointer.route.production.number == 3
    assert pointer.problems == ()


def test_with_the_ledger_down_what_answers_goes_on(pointer: Pointer, told: Told) -> None:
    pointer.follow()
    told.down = True
    pointer.follow()
    assert pointer.route.production.number == 1
    assert pointer.problems == ("the ledger does not answer (DatabaseFailed): the log says why",)
    told.down = False
    pointer.follow()
    assert pointer.problems == ()


def test_production_does_not_wait_for_a_canary_that_cannot_be_loaded(
    pointer: Pointer, server: Memory, told: Told
) -> None:
    server.bad = {9}
    told.route = replace(told.route, canary=Canary(release=release(9), share=0.1))
    pointer.follow()
    assert pointer.route == Route(epoch=1, production=release(1))
    assert pointer.problems == ("release 9 was not taken (CorruptAdapter): the log says why",)


def test_a_canary_is_loaded_beside_production_and_its_share_follows(
    pointer: Pointer, server: Memory, told: Told
) -> None:
    for share in (0.01, 0.5):
        told.route = replace(told.route, canary=Canary(release=release(9), share=share))
        pointer.follow()
        assert pointer.route.canary == Canary(release=release(9), share=share)
    assert sorted(server.held) == [1, 9]


def test_a_release_before_that_is_damaged_is_reported_and_the_next_is_kept_instead(
    pointer: Pointer, server: Memory, told: Told
) -> None:
    server.bad = {4}
    deploy(told, 5, 5)
    told.before = (release(4), release(3), release(2))
    pointer.follow()
    assert sorted(server.held) == [2, 3, 5]
    assert pointer.problems == ("release 4 is not ready for a rollback (CorruptAdapter): the log says why",)


def test_the_thread_follows_at_once_when_it_is_woken(told: Told, server: Memory) -> None:
    import time

    pointer = Pointer(told, server, Metrics(), seconds=60)
    pointer.start()
    try:
        for number in (1, 2):
            deploy(told, number, number)
            pointer.wake()
            deadline = time.monotonic() + 10
            while (pointer.current is None or pointer.current.epoch != number) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert pointer.route.epoch == number
    finally:
        pointer.stop()
    assert not pointer.alive


def test_what_a_server_lost_is_loaded_again_and_nothing_that_it_kept(
    pointer: Pointer, server: Memory, told: Told
) -> None:
    pointer.follow()
    deploy(told, 2, 2)
    told.before = (release(1),)
    pointer.follow()
    server.lost = {1, 2}
    pointer.follow()
    assert (server.lost, sorted(server.held), pointer.problems) == (set(), [1, 2], ())
    tries = server.tries
    pointer.follow()
    assert server.tries == tries


def test_production_that_was_lost_and_cannot_be_loaded_again_is_a_problem_and_tried_with_pauses(
    pointer: Pointer, server: Memory
) -> None:
    pointer.follow()
    server.lost, server.bad = {1}, {1}
    pointer.follow()
    tries = server.tries
    for _ in range(5):
        pointer.follow()
    assert server.tries == tries
    assert pointer.problems == ("release 1 was not taken (CorruptAdapter): the log says why",)
