"""The emulated CBU: real firmware for the BK7231 runs on a CPU by Unicorn, with peripherals of our own.

What is documented, seen and guessed stands in docs/emulator.md and at every register.
"""
