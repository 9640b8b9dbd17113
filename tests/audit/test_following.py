"""Each sealed entry comes once, however the record grows and whenever it is looked at."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import NOW, disclosure
from vault.audit.following import Follower
from vault.audit.reading import read_chain
from vault.audit.segment import segments
from vault.audit.writer import RecordWriter

steps = st.lists(
    st.one_of(st.integers(1, 5), st.sampled_from(["read", "few", "again", "torn"])), max_size=30
)


@given(steps)
def test_each_entry_comes_once_and_in_order(made: list[int | str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        writer = RecordWriter.claim(folder, segment_bytes=2_000)
        follower, seen = Follower(folder, {}), list[int]()
        for step in [*made, "read"]:
            if isinstance(step, int):
                writer.append([disclosure() for _ in range(step)], NOW)
            elif step == "torn":
                with segments(folder / writer.name)[-1].open("ab") as file:
                    file.write(b'{"kind":"disc')
                list(map(seen.append, (entry.seq for _, entry in follower.read(10**6))))
                writer.close()
                writer = RecordWriter.claim(folder, segment_bytes=2_000)
            elif step == "again":
                follower.close()
                follower = Follower(folder, follower.ends)
            else:
                found = follower.read(10**6 if step == "read" else 3)
                seen += [entry.seq for _, entry in found]
        while more := follower.read(10**6):
            seen += [entry.seq for _, entry in more]
        follower.close()
        writer.close()
        assert seen == [entry.seq for entry in read_chain(folder / "w0")]
