"""Programs of our own for the emulated module, compiled by the test with Debian's gcc-arm-none-eabi."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wattrail.image.code import CodeKey, crypt, pack
from wattrail.twin.bootrom.flash import ProtectedFlash
from wattrail.twin.cbu.chips import CBU_CHIPS
from wattrail.twin.cbu.machine import Cbu

PROGRAMS = Path(__file__).parent / "programs"
COMPILER = "arm-none-eabi-gcc"
FLAGS = ("-mcpu=arm946e-s", "-mthumb-interwork", "-Os", "-Wall", "-Werror", "-ffreestanding", "-nostdlib")

FLASH_ID, FLASH_BYTES = 0x1560EB, 1 << 21


class Program:
    """A machine with a program in its flash, and everything that its log said."""

    def __init__(self, code: bytes, chip: str = "N") -> None:
        self.flash = flash_with(code, CBU_CHIPS[chip].code_key)
        self.machine = Cbu(chip, self.flash)  # type: ignore[arg-type]
        self.heard = bytearray()
        self.machine.uart("uart2").listen(self.heard.extend)

    def run(self, seconds: float) -> list[str]:
        """Run, and give the lines of the log so far."""
        self.machine.run_for(seconds)
        return self.heard.decode().splitlines()


def flash_with(code: bytes, key: CodeKey) -> ProtectedFlash:
    stored = pack(crypt(code.ljust(-(-len(code) // 32) * 32, b"\xff"), key, 0))
    return ProtectedFlash(FLASH_ID, image=stored.ljust(FLASH_BYTES, b"\xff"))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """The machine code of a program by its name; ``thumb``: with 16-bit instructions; ``at``: its address."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not there: apt-get install gcc-arm-none-eabi")
    folder = tmp_path_factory.mktemp("programs")

    def build(name: str, *, thumb: bool = False, at: int = 0) -> bytes:
        elf, binary = folder / f"{name}{thumb}{at}.elf", folder / f"{name}{thumb}{at}.bin"
        if not binary.exists():
            sources = [PROGRAMS / "start.S", PROGRAMS / f"{name}.c"]
            mode = "-mthumb" if thumb else "-marm"
            link = [f"-Wl,-Ttext={at:#x}", "-T", PROGRAMS / "link.ld", "-o", elf]
            made = subprocess.run([COMPILER, *FLAGS, mode, *link, *sources, "-lgcc"], capture_output=True, text=True)
            assert made.returncode == 0, made.stderr
            subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, binary], check=True)
        return binary.read_bytes()

    return build


@pytest.fixture
def program(compiled: Callable[..., bytes]) -> Callable[..., Program]:
    """Load a program by its name into a new machine."""

    def load(name: str, *, chip: str = "N", thumb: bool = False) -> Program:
        return Program(compiled(name, thumb=thumb), chip)

    return load
