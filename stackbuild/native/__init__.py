"""What ELF, Mach-O and PE files say of themselves."""
