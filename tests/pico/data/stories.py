"""Short texts with every kind of neighbouring characters."""

STORIES = [
    f"Once upon a time, {name} couldn't find {count} {thing}s.\n  \"Where's my {thing}?\" I'd say."
    for count, name in enumerate(["Lily", "Tom", "Zoë", "Ann-Marie"] * 5)
    for thing in ("hat", "café table", "égg", "2nd sock")
]
