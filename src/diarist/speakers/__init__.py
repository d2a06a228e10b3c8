"""Who a speaker is: known voices, one label across recordings, and other names."""
