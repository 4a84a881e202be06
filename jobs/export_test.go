package jobs

// Remember makes the gate forget what it knows when it knows more than n entries.
func (g *Gate) Remember(n int) { g.decided.most, g.erased.most = n, n }

// AwaitAdmitted returns when every group is stored that was admitted before.
var AwaitAdmitted = awaitAdmitted

// TurnstileLock is held by who waits so.
const TurnstileLock = turnstileLock

// FieldsLock is held while columns of a dataset are emptied.
var FieldsLock = fieldsLock
