"""Calls between Unicorn and us without the wrapping of its Python binding, which takes most of an access's time.

The binding looks up the type of each register, and puts two functions around each call back. What is used here is what
the binding itself uses, so another version of it may lack it: then its public functions serve.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

from unicorn import Uc, UcError
from unicorn import unicorn_const as uc

__all__ = ["add_code_hook", "map_calls", "pair_read", "register_access"]

LoadCall = Callable[[object, int, int, object], int]
"""Engine, offset, size and nothing in, value out. It must not raise."""
StoreCall = Callable[[object, int, int, int, object], None]
"""Engine, offset, size, value and nothing. It must not raise."""
CodeCall = Callable[[object, int, int, object], None]
"""Engine, address, size and nothing, before an instruction is executed. It must not raise."""

try:
    from unicorn.unicorn_py3 import unicorn as _binding

    _LIBRARY: Any = _binding.uclib
    _CODE: Any = _binding.HOOK_CODE_CFUNC
    _LOAD: Any = _binding.MMIO_READ_CFUNC
    _STORE: Any = _binding.MMIO_WRITE_CFUNC
except (ImportError, AttributeError):  # another version of the binding
    _LIBRARY = None

_ALL: Final = (1, 0)
"""First and last address of a hook that is called everywhere, as the engine wants it."""


def register_access(engine: Uc) -> tuple[Callable[[int], int], Callable[[int, int], object]]:
    """Read and write registers of 32 bits."""
    if _LIBRARY is None:
        return engine.reg_read, engine.reg_write
    cell = ctypes.c_uint32()
    place, handle = ctypes.byref(cell), engine._uch
    read_register, write_register = _LIBRARY.uc_reg_read, _LIBRARY.uc_reg_write

    def read(register: int) -> int:
        read_register(handle, register, place)
        return cell.value

    def write(register: int, value: int) -> None:
        cell.value = value
        write_register(handle, register, place)

    return read, write


def pair_read(engine: Uc, first: int, second: int) -> Callable[[], tuple[int, int]]:
    """Read two registers of 32 bits at once, which takes as long as one."""
    if _LIBRARY is None:
        return lambda: (engine.reg_read(first), engine.reg_read(second))
    cells = (ctypes.c_uint32 * 2)()
    numbers = (ctypes.c_int * 2)(first, second)
    places = (ctypes.c_void_p * 2)(ctypes.addressof(cells), ctypes.addressof(cells) + 4)
    handle, read_batch = engine._uch, _LIBRARY.uc_reg_read_batch

    def read() -> tuple[int, int]:
        read_batch(handle, numbers, places, 2)
        return cells[0], cells[1]

    return read


def map_calls(engine: Uc, address: int, size: int, load: LoadCall, store: StoreCall) -> object:
    """Let accesses to a range call. What is returned must be kept as long as the engine. Raises UcError."""
    if _LIBRARY is None:
        engine.mmio_map(address, size, load, None, store, None)
        return None
    loads, stores = _LOAD(load), _STORE(store)
    _check(_LIBRARY.uc_mmio_map(engine._uch, address, size, _pointer(loads, _LOAD), 0, _pointer(stores, _STORE), 0))
    return loads, stores


def add_code_hook(engine: Uc, call: CodeCall, address: int | None = None) -> Callable[[], None]:
    """Call before the instruction at an address is executed, or before each; what is returned ends that.

    Raises UcError.
    """
    first, last = _ALL if address is None else (address, address)
    if _LIBRARY is None:
        number = engine.hook_add(uc.UC_HOOK_CODE, call, None, first, last)
        return lambda: engine.hook_del(number)
    hook, handle = _CODE(call), ctypes.c_size_t()
    _check(
        _LIBRARY.uc_hook_add(
            engine._uch, ctypes.byref(handle), uc.UC_HOOK_CODE, _pointer(hook, _CODE),
            ctypes.c_void_p(0), ctypes.c_uint64(first), ctypes.c_uint64(last),
        )
    )  # fmt: skip

    def remove() -> None:
        _check(_LIBRARY.uc_hook_del(engine._uch, handle))
        kept.clear()

    kept = [hook]  # the engine calls it, and Python must not forget it until then
    return remove


def _pointer(function: object, kind: object) -> object:
    return ctypes.cast(function, kind)  # type: ignore[arg-type]


def _check(status: int) -> None:
    if status != uc.UC_ERR_OK:
        raise UcError(status)
