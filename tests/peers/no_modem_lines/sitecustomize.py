"""Run by Python when a flasher starts: a pseudo-terminal has no DTR and RTS.

The kernel refuses them with ENOTTY, which pyserial forgives while it opens a port and not later, so that a flasher
which pulses them to reset the chip would end there. On an adapter without those pins the pulse is lost, and so it is
here.
"""

from serial.serialposix import Serial

Serial._update_dtr_state = Serial._update_rts_state = lambda self: None
