//! Numbers labels in the order in which they first come in memory.
