// Package auditlog keeps the tamper-evident log of everything Lapse does, and
// verifies it offline with nothing but the log's public key.
//
// The log is a directory with one transparency log a year (UTC of the time of
// writing), each in the layout of https://c2sp.org/tlog-tiles:
//
//	2026/checkpoint            size and root hash, signed: https://c2sp.org/tlog-checkpoint
//	2026/tile/entries/<N>      256 entries each, canonical JSON behind a 16-bit length
//	2026/tile/<L>/<N>          256 hashes of the RFC 6962 Merkle tree each
//	2026/rotations/<size>      checkpoints that hand over to a new key, signed by both
//	2026/staging/<size>-<root> the newest entries, while they have no tiles yet
//
// A batch is staged, then the checkpoint is swapped, and the batch is in the log.
// Its tiles follow when nobody has appended for some milliseconds, when much is
// staged, at Close, or by whoever opens the log after a crash. A tool that knows
// nothing of the staging, as other tools for tlog-tiles, should read a log that is
// closed or idle. A Folder has its own files beside the years: "lock", "turn" and
// "tmp", which are no part of the log.
//
// It promises:
//
//   - An entry whose Append has returned is durable and stays in the log,
//     whatever the process, its siblings or the machine do afterwards.
//   - The log never forks: writers in any number of goroutines, processes and
//     machines extend one history, fenced by a compare-and-swap of the checkpoint.
//   - After a crash between any two file system calls the directory verifies as
//     it lies, and the next Append finishes what was interrupted.
//   - Verify names the file, and the entry in it, for any bit that was changed
//     in a published file, the staging of the checkpoint among them. Other files
//     in staging were never committed; they are listed and otherwise ignored.
//
// It never signs two checkpoints that contradict each other, never rewrites or
// removes an entry, never writes an identifier or other text of a caller (the
// type of an entry has no room for one), and never quotes the content of a file
// in an error. Rolling the whole directory back to an earlier state cannot be
// seen from inside it; that takes an anchor kept elsewhere, see AddAnchor.
package auditlog
