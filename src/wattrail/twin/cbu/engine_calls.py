"""Calls between Unicorn and us without the wrapping of its Python binding, which takes most of an access's time.

The binding looks up the type of each register, and puts two functions around each call back. What is used here is what
the binding itself uses, so another version of it may lack it: then its public functions serve.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Any, Final

from unicorn import Uc, UcError
from unicorn import unicorn_const as uc

__all__ = ["add_code_hook", "group_write", "map_calls", "pair_read", "register_access", "start_call"]

LoadCall = Callable[[object, int, int, object], int]
"""Engine, offset, size and nothing in, value out. It must not raise."""
StoreCall = Callable[[object, int, int, int, object], None]
"""Engine, offset, size, value and nothing. It must not raise."""
CodeCall = Callable[[object, int, int, object], None]
"""Engine, address, size and nothing, before an instruction or a block is executed. It must not raise."""

try:
    from unicorn.unicorn_py3 import unicorn as _binding

    # Measured: the wrapping took a third of an idle tick of OpenBeken.
    _LIBRARY: Any = _binding.uclib
    _CODE: Any = _binding.HOOK_CODE_CFUNC
    _LOAD: Any = _binding.MMIO_READ_CFUNC
    _STORE: Any = _binding.MMIO_WRITE_CFUNC
except (ImportError, AttributeError):  # another version of the binding
    _LIBRARY = None

_ALL: Final = (1, 0)
"""First and last address of a hook that is called everywhere, as the engine wants it."""


def start_call(engine: Uc) -> Callable[[int, int], None]:
    """Run from an address, for so many instructions. Raises UcError, and what a hook of the binding raised."""
    engine.ctl_exits_enabled(True)  # with none set: nothing has to be translated again at the end of a slice
    if _LIBRARY is None:
        return lambda begin, count: engine.emu_start(begin, 0, count=count)
    begin_cell, count_cell, zero = ctypes.c_uint64(), ctypes.c_size_t(), ctypes.c_uint64(0)
    start = _function("uc_emu_start", engine, begin_cell, zero, zero, count_cell, kind=ctypes.CFUNCTYPE)

    def run(begin: int, count: int) -> None:
        begin_cell.value, count_cell.value = begin, count
        status = start()
        if (raised := engine._hook_exception) is not None:
            engine._hook_exception = None
            raise raised
        if status:
            raise UcError(status)

    return run


def register_access(engine: Uc) -> tuple[Callable[[int], int], Callable[[int, int], object]]:
    """Read and write registers of 32 bits."""
    if _LIBRARY is None:
        return engine.reg_read, engine.reg_write
    number, cell = ctypes.c_int(), ctypes.c_uint32()
    place = ctypes.c_void_p(ctypes.addressof(cell))
    read_register = _function("uc_reg_read", engine, number, place)
    write_register = _function("uc_reg_write", engine, number, place)

    def read(register: int) -> int:
        number.value = register
        read_register()
        return cell.value

    def write(register: int, value: int) -> None:
        number.value, cell.value = register, value
        write_register()

    return read, write


def pair_read(engine: Uc, first: int, second: int) -> Callable[[], tuple[int, int]]:
    """Read two registers of 32 bits at once, which takes as long as one."""
    if _LIBRARY is None:
        return lambda: (engine.reg_read(first), engine.reg_read(second))
    cells, numbers, places = _cells(first, second)
    read_batch = _function("uc_reg_read_batch", engine, numbers, places, ctypes.c_int(2))
    unpack = Struct("=2I").unpack_from

    def read() -> tuple[int, int]:
        read_batch()
        return unpack(cells)

    return read


def group_write(engine: Uc, *registers: int) -> Callable[..., None]:
    """Write registers of 32 bits at once, in this order: one value for each."""
    if _LIBRARY is None:

        def write_each(*values: int) -> None:
            for register, value in zip(registers, values, strict=True):
                engine.reg_write(register, value)

        return write_each
    cells, numbers, places = _cells(*registers)
    write_batch = _function("uc_reg_write_batch", engine, numbers, places, ctypes.c_int(len(registers)))
    pack = Struct(f"={len(registers)}I").pack_into

    def write(*values: int) -> None:
        pack(cells, 0, *values)
        write_batch()

    return write


def map_calls(engine: Uc, address: int, size: int, load: LoadCall, store: StoreCall) -> object:
    """Let accesses to a range call. What is returned must be kept as long as the engine. Raises UcError."""
    if _LIBRARY is None:
        engine.mmio_map(address, size, load, None, store, None)
        return None
    loads, stores = _LOAD(load), _STORE(store)
    _check(_LIBRARY.uc_mmio_map(engine._uch, address, size, _pointer(loads, _LOAD), 0, _pointer(stores, _STORE), 0))
    return loads, stores


def add_code_hook(
    engine: Uc, call: CodeCall, address: int | None = None, *, whole_blocks: bool = False
) -> Callable[[], None]:
    """Call before the instruction at an address is executed, or before each; what is returned ends that.

    ``whole_blocks`` calls when the code jumps there, or a slice begins there, not when it walks on into it. While all
    hooks are such, the engine counts instructions without a look at its list of hooks, which takes a third as long.
    Raises UcError.
    """
    first, last = _ALL if address is None else (address, address)
    kind = uc.UC_HOOK_BLOCK if whole_blocks else uc.UC_HOOK_CODE
    if _LIBRARY is None:
        number = engine.hook_add(kind, call, None, first, last)
        return lambda: engine.hook_del(number)
    hook = _CODE(call)
    handle = _add_hook(engine, kind, _pointer(hook, _CODE), first, last)

    def remove() -> None:
        _check(_LIBRARY.uc_hook_del(engine._uch, handle))
        kept.clear()

    kept = [hook]  # the engine calls it, and Python must not forget it until then
    return remove


def _add_hook(engine: Uc, kind: int, call: object, first: int, last: int) -> ctypes.c_size_t:
    handle = ctypes.c_size_t()
    _check(
        _LIBRARY.uc_hook_add(
            engine._uch, ctypes.byref(handle), kind, call,
            ctypes.c_void_p(0), ctypes.c_uint64(first), ctypes.c_uint64(last),
        )
    )  # fmt: skip
    return handle


def _function(
    name: str, engine: Uc, *arguments: object, kind: Callable[..., Any] = ctypes.PYFUNCTYPE
) -> Callable[[], int]:
    """A call of the engine with always the same cells for its arguments: the numbers in them convert faster so.

    The kind decides whether other threads of Python may run meanwhile: for most calls a change would take longer.
    """
    call: Any = kind(ctypes.c_int)((name, _LIBRARY))
    return partial(call, engine._uch, *arguments)


def _cells(*registers: int) -> tuple[Any, Any, Any]:
    """Room for their values, their numbers, and where the room of each is."""
    cells = (ctypes.c_uint32 * len(registers))()
    numbers = (ctypes.c_int * len(registers))(*registers)
    start = ctypes.addressof(cells)
    places = (ctypes.c_void_p * len(registers))(*(start + 4 * n for n in range(len(registers))))
    return cells, numbers, places


def _pointer(function: object, kind: object) -> object:
    return ctypes.cast(function, kind)  # type: ignore[arg-type]


def _check(status: int) -> None:
    if status != uc.UC_ERR_OK:
        raise UcError(status)
