"""What is shipped beside the wheel: unit, container, Debian package, add-on."""
