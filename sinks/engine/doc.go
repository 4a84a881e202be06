// Package engine runs the embedded ClickHouse: the real engine, loaded from a
// shared library into a child process that listens on loopback and is spoken to
// over the native protocol, exactly as a remote server is.
//
// It promises that
//   - the engine lives as long as some process uses it and no longer: when the
//     last one ends, kill -9 included, the engine ends within two seconds and
//     its data is whole;
//   - a second process that starts an engine on the same folder attaches to the
//     one that runs;
//   - nobody without the random password of this start reads a table, and the
//     connection file that holds it is readable by its owner alone;
//   - nobody reads a file of this machine through the engine.
//
// It never downloads anything when an engine starts: Install does that, once,
// and checks what it got against a pinned hash.
//
// A program that starts an engine must call RunIfKeeper first thing in main (or
// TestMain), because the child process is the program itself, executed again.
package engine
