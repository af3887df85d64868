import stat
import threading
from pathlib import Path

import pytest

from resources.new_file import write_new_file


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "2026-10" / "mail.eml"
    write_new_file(path, b"content")
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o755)
    write_new_file(public / "home" / "outbox" / "mail.eml", b"content")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (public / "home" / "outbox").parents[:2]]
    assert modes == [0o700, 0o755]
    assert stat.S_IMODE((public / "home" / "outbox").stat().st_mode) == 0o700


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    write_new_file(path, b"first")
    with pytest.raises(FileExistsError):
        write_new_file(path, b"second")
    assert path.read_bytes() == b"first"


def test_of_many_writers_at_once_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    start = threading.Barrier(8)
    winners: list[int] = []

    def write(number: int) -> None:
        start.wait()
        try:
            write_new_file(path, bytes([number]) * 100_000)
        except FileExistsError:
            return
        winners.append(number)

    threads = [threading.Thread(target=write, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = winners
    assert path.read_bytes() == bytes([winner]) * 100_000
