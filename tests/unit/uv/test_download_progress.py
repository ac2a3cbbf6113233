"""What uv downloads, told by its own lines."""

from stackbuild.uv.download_progress import Downloads


def test_downloads_begin_with_their_size_and_end() -> None:
    downloads = Downloads()
    assert downloads.read("Downloading numpy (15.5MiB)")
    assert downloads.read("Downloading pandas (1.5KiB)")
    assert downloads.under_way == {"numpy": 16252928, "pandas": 1536}
    assert (downloads.received, downloads.total) == (0, 16254464)
    assert downloads.read(" Downloaded pandas")
    assert (downloads.received, downloads.total) == (1536, 16254464)


def test_downloads_of_pythons_are_known_by_their_name_alone() -> None:
    downloads = Downloads()
    assert downloads.read("Downloading cpython-3.13.1-linux-x86_64-gnu (download) (20.0MiB)")
    assert list(downloads.under_way) == ["cpython-3.13.1-linux-x86_64-gnu"]
    assert downloads.read(" Downloaded cpython-3.13.1-linux-x86_64-gnu (download)")
    assert downloads.under_way == {}


def test_lines_of_older_releases_end_downloads_as_well() -> None:
    downloads = Downloads()
    for line in ("Downloading mid (2.4MiB)", "Downloading cpython-3.11.7 (download) (7.1MiB)"):
        downloads.read(line)
    for line in (" Downloading mid", " Downloading cpython-3.11.7 (download)"):
        assert downloads.read(line)
    assert (downloads.under_way, list(downloads.ended)) == ({}, ["mid", "cpython-3.11.7"])


def test_other_lines_and_the_end_of_what_never_began_are_no_downloads() -> None:
    downloads = Downloads()
    for line in (
        "Resolved 3 packages in 2ms",
        "",
        "Downloading",
        "Downloading x (big)",
        " Downloaded numpy",
        " + a==1",
    ):
        assert not downloads.read(line)
    assert downloads == Downloads()


def test_words_have_bytes_and_a_rate_as_soon_as_there_is_one() -> None:
    downloads = Downloads()
    for name in ("torch", "numpy", "pandas", "scipy"):
        downloads.read(f"Downloading {name} (10MB)")
    assert str(downloads.amount(seconds=1.0)) == "downloading 0 B of 40.0 MB: torch, numpy and 2 more"
    downloads.read("Downloaded torch")
    downloads.read("Downloaded pandas")
    assert str(downloads.amount(seconds=4.0)) == "downloading 20.0 MB of 40.0 MB, 5.0 MB/s: numpy, scipy"
    downloads.read("Downloaded numpy")
    downloads.read("Downloaded scipy")
    assert str(downloads.amount(seconds=8.0)) == "downloaded 40.0 MB of 40.0 MB, 5.0 MB/s"


def test_bytes_that_are_known_otherwise_count_and_are_never_more_than_there_are() -> None:
    downloads = Downloads()
    downloads.read("Downloading cpython-3.13.1 (10MB)")
    assert str(downloads.amount(seconds=2.0, received=4_000_000)) == (
        "downloading 4.0 MB of 10.0 MB, 2.0 MB/s: cpython-3.13.1"
    )
    assert str(downloads.amount(seconds=2.0, received=10_400_000)).startswith(
        "downloading 10.0 MB of 10.0 MB, 5.0 MB/s"
    )
