"""What every store must do: one suite, run against each implementation.

A test class of the implementation inherits `StoreContract` and gives the fixture
`open_another`: it opens the same store once more, as another process would.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from vault.errors import Refusal
from vault.store.base import FREE_REPETITIONS, Charge, Limit, Mark, Replay, Store, Verdict

OpenStore = Callable[[], Awaitable[Store]]

T0 = 1_800_000_000.0
HOUR = Limit("portal", "reveal.hour", 3600, 10)
DAY = Limit("portal", "reveal.day", 86400, 25)
PEOPLE = Limit("portal", "people.day", 86400, 3)
MARK = Mark("w0", 100, "ab" * 32)


def person(number: int) -> bytes:
    return number.to_bytes(16, "big")


def charge(items: int = 1, *people: int, limits: tuple[Limit, ...] = (HOUR,), **given) -> Charge:
    return Charge(
        given.pop("principal", "portal"),
        given.pop("end_user", None),
        items,
        limits,
        frozenset(map(person, people)),
        (given.pop("ceiling", PEOPLE),) if people else (),
        **given,
    )


async def lease(
    store: Store, limits: tuple[Limit, ...], items: int, share: int, now: float, **who
) -> int:
    return (await store.lease(charge(items, limits=limits, **who), share, now)).items


async def left(store: Store, limit: Limit, now: float) -> int:
    """What a limit has left, found out by leasing all of it and giving it back."""
    try:
        granted = await lease(store, (limit,), 1, limit.ceiling, now)
    except Refusal as refusal:
        if refusal.code != "budget_exhausted":
            raise
        return 0
    await store.give_back((limit,), granted, now)
    return granted


class StoreContract:
    @pytest.fixture
    async def store(self, open_another: OpenStore) -> AsyncIterator[Store]:
        opened = await open_another()
        yield opened
        await opened.close()

    @staticmethod
    async def decide(store: Store, *group: Charge, now: float = T0) -> list[Verdict]:
        return await store.commit(group, MARK, now)

    # Limits

    async def test_all_of_a_limit_is_usable_and_nothing_beyond(self, store: Store) -> None:
        verdicts = await self.decide(store, *[charge() for _ in range(11)])
        assert [verdict.code for verdict in verdicts] == [None] * 10 + ["budget_exhausted"]
        assert verdicts[-1].limit == "reveal.hour"

    async def test_a_refused_charge_changes_nothing_anywhere(self, store: Store) -> None:
        too_many = charge(11, 1, 2, limits=(DAY, HOUR), request_id="a", fingerprint=b"x")
        [verdict] = await self.decide(store, too_many)
        assert verdict.code == "budget_exhausted"
        assert await left(store, HOUR, T0) == 10
        assert await left(store, DAY, T0) == 25
        [again] = await self.decide(store, charge(1, 3, 4, 5, request_id="a", fingerprint=b"y"))
        assert again == Verdict()

    async def test_a_smaller_charge_fits_after_a_refused_one(self, store: Store) -> None:
        verdicts = await self.decide(store, charge(6), charge(6), charge(4))
        assert [verdict.code for verdict in verdicts] == [None, "budget_exhausted", None]

    async def test_scopes_and_names_are_counted_apart(self, store: Store) -> None:
        others = [
            Limit("portal/end-user", "reveal.hour", 3600, 10),
            Limit("portal", "match.hour", 3600, 10),
            Limit("intake", "reveal.hour", 3600, 10),
        ]
        await self.decide(store, charge(10))
        verdicts = await self.decide(store, *[charge(10, limits=(other,)) for other in others])
        assert verdicts == [Verdict()] * 3

    async def test_no_hour_holds_more_than_the_ceiling(self, store: Store) -> None:
        await self.decide(store, charge(10))  # at the very start of a bucket
        [too_early] = await self.decide(store, charge(), now=T0 + 3600)
        assert too_early.code == "budget_exhausted"
        [late_enough] = await self.decide(store, charge(), now=T0 + 3660)
        assert late_enough == Verdict()

    async def test_retry_after_is_when_enough_has_left(self, store: Store) -> None:
        await self.decide(store, charge(4))
        await self.decide(store, charge(6), now=T0 + 120)
        [refused] = await self.decide(store, charge(5), now=T0 + 600.5)
        assert refused.retry_after == 3660 + 120 - 600
        [few] = await self.decide(store, charge(4), now=T0 + 600.5)
        assert few.retry_after == 3660 - 600
        [early] = await self.decide(store, charge(5), now=T0 + 3660 + 119)
        assert early == Verdict("budget_exhausted", "reveal.hour", 1)
        assert await self.decide(store, charge(5), now=T0 + 3660 + 120) == [Verdict()]

    async def test_the_limit_with_the_longest_wait_is_named(self, store: Store) -> None:
        tight_day = Limit("portal", "reveal.day", 86400, 10)
        await self.decide(store, charge(10, limits=(HOUR, tight_day)))
        [refused] = await self.decide(store, charge(limits=(HOUR, tight_day)))
        assert (refused.limit, refused.retry_after) == ("reveal.day", 86400 + 1440)

    async def test_what_can_never_fit_is_told_the_whole_window(self, store: Store) -> None:
        [items] = await self.decide(store, charge(11))
        assert (items.limit, items.retry_after) == ("reveal.hour", 3600)
        [people] = await self.decide(store, charge(1, 1, 2, 3, 4))
        assert (people.limit, people.retry_after) == ("people.day", 86400)

    async def test_a_lowered_ceiling_holds_at_once(self, store: Store) -> None:
        await self.decide(store, charge(8))
        lowered = Limit("portal", "reveal.hour", 3600, 5)
        [refused] = await self.decide(store, charge(limits=(lowered,)))
        assert (refused.code, refused.retry_after) == ("budget_exhausted", 3660)

    async def test_time_never_runs_backwards(self, store: Store) -> None:
        await self.decide(store, charge(10), now=T0 + 7200)
        [behind] = await self.decide(store, charge(), now=T0)
        assert behind.code == "budget_exhausted"
        assert behind.retry_after == 7200 + 3660

    # People

    async def test_a_person_counts_once(self, store: Store) -> None:
        verdicts = await self.decide(
            store, charge(1, 1), charge(1, 1, 2), charge(2, 2, 3), charge(1, 4), charge(1, 1, 2, 3)
        )
        assert [v.code for v in verdicts] == [None, None, None, "budget_exhausted", None]
        assert verdicts[3].limit == "people.day"
        assert await left(store, HOUR, T0) == 5

    async def test_a_person_seen_again_stays_in_the_window(self, store: Store) -> None:
        await self.decide(store, charge(1, 1, 2, 3))
        await self.decide(store, charge(1, 1), now=T0 + 43200)
        later = T0 + 86400 + 1440
        verdicts = await self.decide(store, charge(1, 4, 5), charge(1, 6), charge(1, 1), now=later)
        assert [v.code for v in verdicts] == [None, "budget_exhausted", None]

    async def test_people_wait_counts_known_persons_of_the_charge(self, store: Store) -> None:
        await self.decide(store, charge(1, 1))
        await self.decide(store, charge(1, 2, 3), now=T0 + 14400)
        # 1 will have left when there is room for 4, but is asked for itself.
        [refused] = await self.decide(store, charge(1, 1, 4), now=T0 + 14400)
        assert refused.retry_after == 86400 + 1440
        [room] = await self.decide(store, charge(1, 2, 4), now=T0 + 14400)
        assert room.retry_after == 86400 + 1440 - 14400

    async def test_many_persons_at_once(self, store: Store) -> None:
        many = Limit("portal", "people.day", 86400, 3000)
        first = charge(1, *range(2000), ceiling=many)
        verdicts = await self.decide(store, first, first)
        assert verdicts == [Verdict(), Verdict()]
        rest = charge(1, *range(1500, 3000), ceiling=many)
        verdicts = await self.decide(store, rest, charge(1, 3000, ceiling=many))
        assert [verdict.code for verdict in verdicts] == [None, "budget_exhausted"]

    # Request ids

    async def test_a_duplicate_is_admitted_without_a_charge(self, store: Store) -> None:
        once = charge(7, 1, request_id="a", fingerprint=b"x")
        assert await self.decide(store, once, once) == [Verdict(), Verdict(duplicate=True)]
        assert await self.decide(store, once, now=T0 + 599) == [Verdict(duplicate=True)]
        assert await left(store, HOUR, T0 + 599) == 3

    async def test_after_so_many_repetitions_each_is_charged(self, store: Store) -> None:
        once = charge(1, 1, request_id="a", fingerprint=b"x")
        free = [Verdict(duplicate=True)] * FREE_REPETITIONS
        assert await self.decide(store, once, *[once] * 10) == [Verdict(), *free[:10]]
        assert await self.decide(store, *[once] * 6, now=T0 + 300) == free[10:]
        assert await left(store, HOUR, T0 + 300) == 9
        assert await self.decide(store, once, once, now=T0 + 599) == [Verdict(), Verdict()]
        assert await left(store, HOUR, T0 + 599) == 7
        assert await self.decide(store, once, once, now=T0 + 601) == [Verdict(), free[0]]

    async def test_too_many_repetitions_are_refused_as_any_request(self, store: Store) -> None:
        once = charge(10, request_id="a", fingerprint=b"x")
        await self.decide(store, *[once] * (1 + FREE_REPETITIONS))
        [refused] = await self.decide(store, once)
        assert (refused.code, refused.limit) == ("budget_exhausted", "reveal.hour")
        other = charge(1, request_id="a", fingerprint=b"y")
        assert await self.decide(store, other) == [Verdict("request_id_reused")]

    async def test_another_fingerprint_is_refused(self, store: Store) -> None:
        one = charge(1, request_id="a", fingerprint=b"x")
        other = charge(1, request_id="a", fingerprint=b"y")
        assert await self.decide(store, one, other) == [Verdict(), Verdict("request_id_reused")]
        assert await self.decide(store, other) == [Verdict("request_id_reused")]

    async def test_request_ids_belong_to_their_principal(self, store: Store) -> None:
        one = charge(1, request_id="a", fingerprint=b"x")
        other = charge(1, request_id="a", fingerprint=b"y", principal="intake")
        assert await self.decide(store, one, other) == [Verdict(), Verdict()]

    async def test_request_ids_are_forgotten_after_ten_minutes(self, store: Store) -> None:
        one = charge(1, request_id="a", fingerprint=b"x")
        other = charge(1, request_id="a", fingerprint=b"y")
        await self.decide(store, one)
        assert await self.decide(store, one, now=T0 + 599) == [Verdict(duplicate=True)]
        assert await self.decide(store, other, now=T0 + 601) == [Verdict()]
        assert await self.decide(store, other, now=T0 + 602) == [Verdict(duplicate=True)]

    async def test_a_refused_request_may_come_again(self, store: Store) -> None:
        late = charge(1, request_id="a", fingerprint=b"x")
        verdicts = await self.decide(store, charge(10), late)
        assert verdicts[1].code == "budget_exhausted"
        assert await self.decide(store, late, now=T0 + 3660) == [Verdict()]

    # Locks

    async def test_a_lock_refuses_even_duplicates(self, store: Store) -> None:
        once = charge(1, request_id="a", fingerprint=b"x")
        await self.decide(store, once)
        await store.lock("portal", None, "a honeytoken was touched")
        reused = charge(1, request_id="a", fingerprint=b"y")
        assert await self.decide(store, once, reused, charge()) == [Verdict("locked")] * 3
        assert await self.decide(store, charge(principal="intake")) == [Verdict()]
        assert await store.unlock("portal", None)
        assert await self.decide(store, once) == [Verdict(duplicate=True)]
        assert not await store.unlock("portal", None)

    async def test_one_end_user_is_locked_alone(self, store: Store) -> None:
        await store.lock("portal", "u1", "reason")
        await store.lock("portal", "u1", "twice is once")
        verdicts = await self.decide(
            store, charge(end_user="u1"), charge(end_user="u2"), charge(), charge(principal="u1")
        )
        assert [verdict.code for verdict in verdicts] == ["locked", None, None, None]
        assert not await store.unlock("portal", None)
        assert await store.unlock("portal", "u1")
        assert await self.decide(store, charge(end_user="u1")) == [Verdict()]

    # Marks, state

    async def test_the_mark_counts_the_admitted(self, store: Store) -> None:
        once = charge(4, request_id="a", fingerprint=b"x")
        await self.decide(store, once, once, charge(9), charge(6))
        assert (await store.state()).marks == {"w0": Mark("w0", 100, "ab" * 32, 103)}
        await self.decide(store, charge(9))
        assert (await store.state()).marks["w0"].charged == 100

    async def test_a_writer_who_was_told_more_is_refused_until_it_is_here(
        self, store: Store
    ) -> None:
        """As after a failover that lost the last commits: nothing is decided without them."""
        await self.decide(store, charge(4))
        told = Mark("w0", 103, "cd" * 32, 103)
        for mark in (told, Mark("w1", 0, "", 1)):
            with pytest.raises(Refusal) as refused:
                await store.commit([charge(1)], mark, T0)
            assert (refused.value.code, refused.value.retry_after) == ("store_unavailable", 1)
        assert (await store.state()).marks == {"w0": Mark("w0", 100, "ab" * 32, 101)}
        await store.replay("w0", [Replay(T0, charge(5))], 103)
        verdicts = await store.commit([charge(2), charge(1)], told, T0)
        assert [verdict.code for verdict in verdicts] == ["budget_exhausted", None]

    async def test_set_mark_leaves_charged_as_it_is(self, store: Store) -> None:
        await self.decide(store, charge())
        await store.set_mark(Mark("w0", 120, "cd" * 32, 5))
        await store.set_mark(Mark("w1", 7, "ef" * 32, 7))
        assert (await store.state()).marks == {
            "w0": Mark("w0", 120, "cd" * 32, 101),
            "w1": Mark("w1", 7, "ef" * 32, 7),
        }

    async def test_while_halted_commits_are_refused(self, store: Store) -> None:
        await store.halt("the store is older than the record")
        with pytest.raises(Refusal) as refused:
            await self.decide(store, charge())
        assert refused.value.code == "store_unavailable"
        assert "jeton audit accept" in refused.value.detail
        assert "older than the record" in refused.value.detail
        assert refused.value.retry_after
        state = await store.state()
        assert (state.halted, state.marks) == ("the store is older than the record", {})
        await store.resume()
        assert (await store.state()).halted is None
        assert await self.decide(store, charge()) == [Verdict()]

    async def test_the_highest_generation_is_kept(self, store: Store) -> None:
        assert [await store.raise_generation(n) for n in (3, 2, 5)] == [0, 3, 3]
        assert (await store.state()).generation == 5

    async def test_everything_is_there_when_opened_again(
        self, store: Store, open_another: OpenStore
    ) -> None:
        once = charge(6, 1, request_id="a", fingerprint=b"x")
        await self.decide(store, once)
        await store.lock("portal", "u1", "reason")
        before = await store.state()
        await store.close()
        another = await open_another()
        try:
            assert await another.state() == before
            verdicts = await self.decide(
                another, once, charge(end_user="u1"), charge(5), charge(4, 2, 3), charge(0, 4)
            )
        finally:
            await another.close()
        assert [v.code for v in verdicts] == [
            None, "locked", "budget_exhausted", None, "budget_exhausted"
        ]  # fmt: skip
        assert verdicts[0].duplicate

    async def test_two_that_share_a_store_see_each_other(
        self, store: Store, open_another: OpenStore
    ) -> None:
        another = await open_another()
        try:
            for _ in range(5):
                assert await self.decide(store, charge()) == [Verdict()]
                assert await self.decide(another, charge()) == [Verdict()]
            [refused] = await self.decide(store, charge())
            await another.lock("portal", None, "reason")
            [locked] = await self.decide(store, charge())
        finally:
            await another.close()
        assert (refused.code, locked.code) == ("budget_exhausted", "locked")

    # Leases

    async def test_a_lease_is_what_all_limits_have_left(self, store: Store) -> None:
        assert await lease(store, (HOUR, DAY), 1, 7, T0) == 7
        assert await lease(store, (HOUR, DAY), 2, 7, T0) == 3
        assert await left(store, DAY, T0) == 15
        with pytest.raises(Refusal) as refused:
            await lease(store, (DAY, HOUR), 1, 7, T0)
        assert (refused.value.code, refused.value.retry_after) == ("budget_exhausted", 3660)
        assert "reveal.hour" in refused.value.detail
        assert await left(store, DAY, T0) == 15

    async def test_who_is_locked_leases_nothing(self, store: Store) -> None:
        await store.lock("portal", "u1", "reason")
        await store.lock("intake", None, "reason")
        assert await store.locks() == {("portal", "u1"), ("intake", None)}
        for locked in ({"end_user": "u1"}, {"principal": "intake"}):
            with pytest.raises(Refusal) as refused:
                await lease(store, (HOUR,), 1, 7, T0, **locked)
            assert refused.value.code == "locked"
        assert await lease(store, (HOUR,), 1, 10, T0, end_user="u2") == 10, "nothing was charged"
        assert await store.unlock("portal", "u1")
        assert await store.unlock("intake", None)
        assert await store.locks() == frozenset()
        assert await lease(store, (DAY,), 1, 7, T0, end_user="u1") == 7

    async def test_a_lease_is_refused_when_not_even_the_items_fit(self, store: Store) -> None:
        await lease(store, (HOUR,), 1, 8, T0)
        with pytest.raises(Refusal) as refused:
            await lease(store, (HOUR,), 3, 8, T0)
        assert refused.value.limit == "reveal.hour"
        assert await lease(store, (HOUR,), 2, 2, T0) == 2

    async def test_what_is_given_back_can_be_leased_again(self, store: Store) -> None:
        assert await lease(store, (HOUR, DAY), 1, 10, T0) == 10
        await store.give_back((HOUR, DAY), 6, T0)
        assert await left(store, HOUR, T0 + 600) == 6
        assert await left(store, DAY, T0 + 600) == 21

    async def test_an_expired_lease_gives_nothing_back(self, store: Store) -> None:
        await lease(store, (HOUR,), 5, 5, T0)
        await lease(store, (HOUR,), 5, 5, T0 + 3600)
        assert await left(store, HOUR, T0 + 3660) == 5
        await store.give_back((HOUR,), 5, T0)
        assert await left(store, HOUR, T0 + 3660) == 5

    async def test_more_than_was_leased_never_goes_below_zero(self, store: Store) -> None:
        await lease(store, (HOUR,), 3, 3, T0)
        await store.give_back((HOUR,), 9, T0)
        verdicts = await self.decide(store, charge(10), charge(1))
        assert [verdict.code for verdict in verdicts] == [None, "budget_exhausted"]

    async def test_a_lease_by_a_slow_clock_comes_back_whole(self, store: Store) -> None:
        await self.decide(store, charge(1), now=T0 + 60)
        assert await lease(store, (HOUR,), 9, 9, T0 + 59.9) == 9
        await store.give_back((HOUR,), 9, T0 + 59.9)
        assert await left(store, HOUR, T0 + 60) == 9

    # Replay

    async def test_lost_charges_count_at_their_own_time(self, store: Store) -> None:
        await self.decide(store, charge(1), now=T0 + 3000)
        once = charge(6, 1, request_id="a", fingerprint=b"x")
        lost = [Replay(T0, charge(8, 1, 2, 3, 4)), Replay(T0 + 2900, once), Replay(T0 + 2901, once)]
        await store.replay("w0", lost, 117)
        assert (await store.state()).marks["w0"].charged == 117
        assert await left(store, HOUR, T0 + 3000) == 0
        verdicts = await self.decide(store, once, charge(0, 5), charge(0, 2), now=T0 + 3000)
        assert verdicts[0].duplicate
        assert [v.code for v in verdicts[1:]] == ["budget_exhausted", "budget_exhausted"]
        assert await left(store, HOUR, T0 + 3660) == 3

    async def test_a_replay_has_as_many_free_repetitions(self, store: Store) -> None:
        once = charge(1, request_id="a", fingerprint=b"x")
        half, rest = FREE_REPETITIONS // 2, FREE_REPETITIONS - FREE_REPETITIONS // 2
        await store.replay("w0", [Replay(T0, once)] * (1 + half), 1 + half)
        await store.replay("w0", [Replay(T0, once)] * (rest + 2), 3 + FREE_REPETITIONS)
        assert await left(store, HOUR, T0) == 10 - 3
        assert await self.decide(store, once) == [Verdict()]

    async def test_a_replay_that_has_left_the_window_counts_nothing(self, store: Store) -> None:
        await self.decide(store, charge(1), now=T0 + 90000)
        await store.replay("w1", [Replay(T0, charge(9, 1))], 5)
        assert await left(store, HOUR, T0 + 90000) == 9
        assert (await store.state()).marks["w1"].charged == 5

    async def test_a_replay_moves_nobody_back(self, store: Store) -> None:
        await self.decide(store, charge(1, 1), now=T0 + 43200)
        await store.replay("w0", [Replay(T0, charge(1, 1, 2))], 101)
        later = T0 + 86400 + 1440
        verdicts = await self.decide(store, charge(1, 3, 4), charge(1, 5), now=later)
        assert [verdict.code for verdict in verdicts] == [None, "budget_exhausted"]
