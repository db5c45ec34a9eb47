from tests.readme import run_blocks


def test_blocks_for_the_device_run() -> None:
    run_blocks("python")
