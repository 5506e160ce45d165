"""Reference data from outside the packs: Parquet files and answers of databases."""
