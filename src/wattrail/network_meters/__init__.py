"""Meters that speak for themselves on a network: what their answers and messages mean.

Pure and sans-IO: bytes of an HTTP answer or an MQTT message go in, quantities, register counts and boot evidence come
out. Numbers are read as decimal text and become integer counts of the register's exact step, never floats: a float
difference of two totals invents energy.
"""
