"""What a reveal costs and leaves behind: charged, recorded on disk, and only then answered.

`ledger.Ledger` is the room's door; `recovery.open_ledger` makes one and first brings store
and record back into step. Everything runs on one event loop; only disk writes leave it.
"""
