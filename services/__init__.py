"""The five services, each in a folder with the same few files, and all five as one process."""
