from edge_st_runtime.text.windows import windows


def test_windows_are_bounded_by_texts_and_characters() -> None:
    assert [len(window) for window in windows(["a"] * 20_000)] == [8192, 8192, 3616]
    long = "x" * 40_000
    assert [len(window) for window in windows([long, long, long, ("a", long), long])] == [3, 2]
    assert [len(window) for window in windows(["a"] * 70, short=True)] == [32, 32, 6]
