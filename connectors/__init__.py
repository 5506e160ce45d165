"""Outside systems, one file each: where records come from and where alerts go."""
