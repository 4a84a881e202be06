// Package sinks holds the small interfaces between the jobs, which decide what
// must happen to personal data, and the systems that hold it, together with the
// types both sides share.
//
// An interface here states its contract (durability, idempotence, concurrency)
// in its comment; every implementation repeats it with a compile-time check.
// The package imports no other package of the project and does no work itself.
package sinks
