"""What follows from counts and references, whatever chip counted: calibration, accuracy, waveforms. Pure."""
