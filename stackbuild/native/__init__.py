"""What the headers of ELF, Mach-O and PE files say."""
